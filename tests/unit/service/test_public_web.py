"""Fetching what others name: never from this network, however the name resolves, and never much or for long."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service import public_web
from service.public_web import Unreachable, get, is_public, post

PRIVATE = (
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "2002:a00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "not-an-address", "", "0x7f000001", "2130706433",
    "::127.0.0.1", "64:ff9b:1::1", "3fff::1", "5f00::1", "100::1", "2001:20::1", "192.88.99.1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_this_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(address)


def resolving(*addresses: str) -> tuple[Any, list[str]]:
    """A resolver with these answers, and the names that it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    return resolve, asked


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_into_this_network_is_not_followed(address: str) -> None:
    for found in ((address,), ("1.1.1.1", address)):
        resolve, _ = resolving(*found)
        with pytest.raises(Unreachable, match="public"):
            await get("https://keys.example/jwks", 1000, resolve=resolve)


@pytest.mark.parametrize(
    "uri",
    ["https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.0.0.1/", "https://[::ffff:10.0.0.1]/",
     "https://169.254.169.254/latest/meta-data", "https://2130706433/", "https://0x7f.1/", "https://127.1/"],
)  # fmt: skip
async def test_an_address_of_this_network_is_not_asked_by_its_number(uri: str) -> None:
    with pytest.raises(Unreachable):
        await get(uri, 1000)


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "ftp://keys.example/", "gopher://keys.example/", "https:///x", "x"]
)
async def test_only_https_is_asked(uri: str) -> None:
    resolve, asked = resolving("1.1.1.1")
    with pytest.raises(Unreachable):
        await get(uri, 1000, resolve=resolve)
    assert asked == []


async def test_an_http_address_is_one_on_this_host(hosts: "Hosts") -> None:
    async with hosts.http(answer('{"keys": []}')) as port:
        assert (await get(f"http://127.0.0.1:{port}/", 1000)).content == b'{"keys": []}'
        for address in ("1.1.1.1", "10.0.0.1"):
            resolve, _ = resolving(address)
            with pytest.raises(Unreachable, match="public"):
                await get(f"http://keys.example:{port}/", 1000, resolve=resolve)


async def test_a_name_that_cannot_be_resolved_is_unreachable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(Unreachable, match="connection failed"):
        await get("https://keys.example/", 1000, resolve=resolve)


def answer(body: str, head: str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n") -> bytes:
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Hosts:
    """Somebody's servers, with certificates of an authority that only this test trusts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[str] = []
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keys.example")])
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("keys.example")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (directory / "key.pem").write_bytes(pem)
        (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.trust = ssl.create_default_context(cafile=str(directory / "cert.pem"))

    @asynccontextmanager
    async def http(self, reply: bytes, *, tls: bool = False, pause: float = 0, rest: bytes = b"") -> AsyncIterator[int]:
        """A server that sends `reply`, and after a pause the rest, whatever it is asked; its port."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(reply)
            await asyncio.sleep(pause)
            writer.write(rest)
            writer.close()

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.directory / "cert.pem", self.directory / "key.pem")
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """127.0.0.1 is somebody's server on the internet, for once."""
    monkeypatch.setattr(public_web, "is_public", lambda address: address == "127.0.0.1")
    return


@pytest.fixture
def ask(hosts: Hosts) -> Callable[..., Any]:
    async def asked(port: int, host: str = "keys.example", most: int = 1000) -> public_web.Document:
        resolve, _ = resolving("127.0.0.1")
        return await get(f"https://{host}:{port}/jwks?x=1", most, resolve=resolve, context=hosts.trust)

    return asked


@pytest.mark.usefixtures("outside")
async def test_the_address_that_was_checked_is_asked_under_the_name_that_was_given(hosts: Hosts) -> None:
    resolve, asked = resolving("127.0.0.1")
    async with hosts.http(answer("{}", "HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\n"), tls=True) as port:
        found = await get(f"https://keys.example:{port}/jwks?x=1", 1000, resolve=resolve, context=hosts.trust)
    assert found == public_web.Document(b"{}", "max-age=9")
    assert asked == ["keys.example"]  # once: asked again the name might lead elsewhere
    (request,) = hosts.requests
    assert request.startswith("GET /jwks?x=1 HTTP/1.1\r\n")
    head = request.lower()
    assert f"host: keys.example:{port}\r\n" in head
    assert "accept: application/json\r\n" in head
    assert "authorization" not in head
    assert "cookie" not in head


@pytest.mark.usefixtures("outside")
async def test_a_certificate_of_another_name_is_not_taken(hosts: Hosts, ask: Callable[..., Any]) -> None:
    async with hosts.http(answer("{}"), tls=True) as port:
        with pytest.raises(Unreachable, match="connection failed"):
            await ask(port, "other.example")
    assert hosts.requests == []


@pytest.mark.usefixtures("outside")
async def test_a_certificate_that_nobody_vouches_for_is_not_taken(hosts: Hosts) -> None:
    resolve, _ = resolving("127.0.0.1")
    async with hosts.http(answer("{}"), tls=True) as port:
        with pytest.raises(Unreachable, match="connection failed"):
            await get(f"https://keys.example:{port}/", 1000, resolve=resolve)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "404 Not Found", "500 Oops", "204 No"])
async def test_a_redirect_is_not_followed_and_a_failure_is_one(
    hosts: Hosts, ask: Callable[..., Any], status: str
) -> None:
    head = f"HTTP/1.1 {status}\r\nLocation: http://169.254.169.254/\r\n"
    async with hosts.http(answer("", head), tls=True) as port:
        with pytest.raises(Unreachable, match="redirects are not followed"):
            await ask(port)
    assert len(hosts.requests) == 1


@pytest.mark.usefixtures("outside")
async def test_a_huge_body_is_left(hosts: Hosts, ask: Callable[..., Any]) -> None:
    async with hosts.http(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000, tls=True) as port:
        with pytest.raises(Unreachable, match="more than 1,000 bytes"):
            await ask(port)


@pytest.mark.usefixtures("outside")
async def test_a_compressed_body_is_not_read(hosts: Hosts, ask: Callable[..., Any]) -> None:
    async with hosts.http(answer("{}", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"), tls=True) as port:
        with pytest.raises(Unreachable, match="compressed"):
            await ask(port)


@pytest.mark.usefixtures("outside")
async def test_a_slow_body_is_not_waited_for(
    hosts: Hosts, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_web, "SECONDS_MOST", 0.3)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"
    async with hosts.http(head, tls=True, pause=3, rest=b"}") as port:
        started = time.monotonic()
        with pytest.raises(Unreachable, match="more than"):
            await ask(port)
        assert time.monotonic() - started < 2


@pytest.mark.usefixtures("outside")
async def test_a_server_that_is_none_is_unreachable(hosts: Hosts, ask: Callable[..., Any]) -> None:
    async with hosts.http(b"nonsense\r\n\r\n", tls=True) as port:
        with pytest.raises(Unreachable):
            await ask(port)
    with pytest.raises(Unreachable):
        await ask(port)  # closed now


@pytest.mark.usefixtures("outside")
async def test_no_proxy_of_the_environment_is_asked(
    hosts: Hosts, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with hosts.http(answer("{}"), tls=True) as port:
        assert (await ask(port)).content == b"{}"


# --- sending ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", PRIVATE)
async def test_nothing_is_sent_into_this_network(address: str) -> None:
    resolve, _ = resolving("1.1.1.1", address)
    with pytest.raises(Unreachable, match="public"):
        await post("https://app.example/hook", b"{}", {}, resolve=resolve)


async def test_nothing_is_sent_without_tls_but_to_this_host_where_that_is_allowed(hosts: Hosts) -> None:
    async with hosts.http(answer("")) as port:
        with pytest.raises(Unreachable, match="https"):
            await post(f"http://127.0.0.1:{port}/", b"{}", {})
        assert hosts.requests == []
        assert await post(f"http://127.0.0.1:{port}/", b"{}", {}, loopback=True) == 200
    resolve, _ = resolving("1.1.1.1")
    with pytest.raises(Unreachable, match="public"):
        await post("http://app.example/", b"{}", {}, loopback=True, resolve=resolve)


@pytest.mark.usefixtures("outside")
async def test_what_is_sent_arrives_with_its_headers_and_a_redirect_is_not_followed(hosts: Hosts) -> None:
    resolve, asked = resolving("127.0.0.1")
    moved = b"HTTP/1.1 307 Moved\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    async with hosts.http(moved, tls=True) as port:
        address = f"https://keys.example:{port}/hook"
        status = await post(address, b"{}", {"webhook-id": "m1"}, resolve=resolve, context=hosts.trust)
    assert status == 307
    assert asked == ["keys.example"]
    (request,) = hosts.requests
    assert request.startswith("POST /hook HTTP/1.1\r\n")
    for line in (f"host: keys.example:{port}", "webhook-id: m1", "content-type: application/json", "content-length: 2"):
        assert f"{line}\r\n" in request.lower()


@pytest.mark.usefixtures("outside")
async def test_who_does_not_answer_is_not_waited_for(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_web, "SECONDS_POST", 0.2)
    resolve, _ = resolving("127.0.0.1")
    async with hosts.http(b"", tls=True, pause=1) as port:
        with pytest.raises(Unreachable, match=r"more than|failed"):
            await post(f"https://keys.example:{port}/", b"{}", {}, resolve=resolve, context=hosts.trust)

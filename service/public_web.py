"""Small documents from hosts that others name: never from this network, however the name resolves (SSRF).

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import httpx

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
SECONDS_MOST: Final = 5.0
SECONDS_POST: Final = 15.0
_NAT64: Final = ip_network("64:ff9b::/96")
_UNICAST: Final = ip_network("2000::/3")
# Python's own tables know these only since some later releases.
_BESIDE: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))


class Unreachable(Exception):
    """The document cannot be had; the sentence says why, without what was answered."""


@dataclass(frozen=True, slots=True)
class Document:
    """A body of JSON, and how its server says it may be kept (`Cache-Control`)."""

    content: bytes
    cache_control: str


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as this machine resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, and no way around that: IPv4 in IPv6 counts as what is inside."""
    try:
        inner = _inner(ip_address(address))
    except ValueError:
        return False
    if not inner.is_global or inner.is_multicast or any(inner in network for network in _BESIDE):
        return False
    return inner.version == 4 or inner in _UNICAST


def _inner(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


async def get(
    uri: str, bytes_most: int, *, resolve: Resolve = resolve, context: ssl.SSLContext | None = None
) -> Document:
    """The JSON document at an https address, of at most so many bytes and in at most `SECONDS_MOST`. Raises Unreachable.

    All addresses of the host are checked, and one of those is connected to: asked again, the name might lead elsewhere.
    Redirects are not followed, proxies of the environment not used. An http address is one on this host and nothing else.
    """
    try:
        async with asyncio.timeout(SECONDS_MOST):
            return await _got(httpx.URL(uri), bytes_most, resolve, context or _context())
    except TimeoutError:
        raise Unreachable(f"it took more than {SECONDS_MOST:.0f} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as fault:
        raise Unreachable(f"the connection failed ({type(fault).__name__})") from None


async def _got(uri: httpx.URL, bytes_most: int, resolve: Resolve, context: ssl.SSLContext) -> Document:
    address = await _checked(uri, resolve)
    headers = {"Host": uri.netloc.decode("ascii"), "Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=SECONDS_MOST) as http,
        http.stream(
            "GET", uri.copy_with(host=address), headers=headers, extensions={"sni_hostname": uri.host}
        ) as answer,
    ):
        if answer.status_code != 200:
            raise Unreachable(f"the answer was {answer.status_code}, where 200 is needed; redirects are not followed")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise Unreachable("the answer is compressed, which was not asked for")
        content = b""
        async for chunk in answer.aiter_raw():
            content += chunk
            if len(content) > bytes_most:
                raise Unreachable(f"the document has more than {bytes_most:,} bytes")
        return Document(content, answer.headers.get("cache-control", ""))


async def post(
    uri: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    loopback: bool = False,
    resolve: Resolve = resolve,
    context: ssl.SSLContext | None = None,
) -> int:
    """Send JSON to an https address; the status of the answer, whose body nobody reads. Raises Unreachable.

    Addresses are checked as in `get`; an http address, one on this host, only with `loopback`.
    """
    try:
        async with asyncio.timeout(SECONDS_POST):
            url = httpx.URL(uri)
            if url.scheme == "http" and not loopback:
                raise Unreachable("it is no https address")
            return await _posted(url, body, headers, resolve, context or _context())
    except TimeoutError:
        raise Unreachable(f"it took more than {SECONDS_POST:.0f} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as fault:
        raise Unreachable(f"the connection failed ({type(fault).__name__})") from None


async def _posted(
    uri: httpx.URL, body: bytes, headers: Mapping[str, str], resolve: Resolve, context: ssl.SSLContext
) -> int:
    address = await _checked(uri, resolve)
    sent = {
        "Host": uri.netloc.decode("ascii"), "Content-Type": "application/json", "User-Agent": "Hearth", **headers,
    }  # fmt: skip
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=SECONDS_POST) as http,
        http.stream(
            "POST",
            uri.copy_with(host=address),
            headers=sent,
            content=body,
            extensions={"sni_hostname": uri.host},
        ) as answer,
    ):
        return answer.status_code


async def _checked(uri: httpx.URL, resolve: Resolve) -> str:
    if uri.scheme not in ("https", "http") or not uri.host:
        raise Unreachable("it is no https address")
    found = await resolve(uri.host, uri.port or (443 if uri.scheme == "https" else 80))
    allowed = is_public if uri.scheme == "https" else _is_loopback
    if not found or not all(allowed(address) for address in found):
        raise Unreachable("its host is not a public one")
    return found[0]


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()

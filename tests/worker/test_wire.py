"""What no client library sends, byte by byte: too much, too long, malformed, smuggled, pipelined."""

import json
import socket
from collections.abc import Callable
from typing import Any, Final

import pytest

LIMIT: Final = 1 << 20  # what the server of this module takes; the rules are those of 16 MiB
JSON: Final = b"Content-Type: application/fhir+json\r\n"


@pytest.fixture(scope="module")
def served(serve_all: Callable[..., Any], database_url: str) -> Any:
    return serve_all(database_url, HEARTH_REQUEST_LIMIT_BYTES=str(LIMIT))


@pytest.fixture(scope="module")
async def bearer(served: Any, new_tenant: Callable[..., Any], database_url: str) -> tuple[bytes, bytes]:
    """(the FHIR base's path, the Authorization header's line) of a tenant."""
    tenant = await new_tenant(database_url)
    async with served.client() as http:
        header = await tenant.bearer(http)
    return tenant.path.encode(), b"Authorization: " + header["Authorization"].encode() + b"\r\n"


class Answer:
    """A status line, headers and a body, read until it is complete."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        line, *headers = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in headers)}

    def issue(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/fhir+json; charset=utf-8"
        outcome = json.loads(self.body)
        assert outcome["resourceType"] == "OperationOutcome"
        issue: dict[str, Any] = outcome["issue"][0]
        return issue

    def code(self) -> str:
        return str(self.issue()["details"]["coding"][0]["code"])


def told(served: Any, *parts: bytes) -> Answer:
    """The answer to what is sent part by part, read to the end of the connection."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        return Answer(everything(connection))


def everything(connection: socket.socket) -> bytes:
    raw = b""
    while chunk := connection.recv(65_536):
        raw += chunk
    return raw


def request(method: bytes, path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    length = (
        b""
        if any(header.lower().startswith((b"content-length", b"transfer-encoding")) for header in headers)
        else (b"Content-Length: %d\r\n" % len(body))
    )
    return b"%b %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b%b\r\n%b" % (
        method,
        path,
        b"".join(headers),
        length,
        body,
    )


def test_a_body_one_byte_too_large_is_refused_with_413(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    answer = told(served, request(b"POST", base + b"/Basic", token, JSON, body=b" " * (LIMIT + 1)))
    assert (answer.status, answer.code()) == (413, "body-too-large")
    assert answer.headers["connection"] == "close"


def test_a_body_of_exactly_the_limit_is_read(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    body = b'{"resourceType":"Basic","code":{"text":"x"}}'.ljust(LIMIT)
    assert told(served, request(b"POST", base + b"/Basic", token, JSON, body=body)).status == 201


def test_a_body_without_a_length_is_refused_where_it_passes_the_limit(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    head = request(b"POST", base + b"/Basic", token, JSON, b"Transfer-Encoding: chunked\r\n")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = told(served, head, *[chunk] * (LIMIT // 65_536), b"1\r\n \r\n0\r\n\r\n")
    assert (answer.status, answer.code()) == (413, "body-too-large")


def test_a_client_that_keeps_sending_still_reads_why(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    answer = told(served, request(b"POST", base + b"/Basic", token, JSON, body=b" " * (8 * LIMIT)))
    assert (answer.status, answer.code()) == (413, "body-too-large")


def test_a_client_that_asks_first_need_not_send(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    head = request(b"POST", base + b"/Basic", token, JSON, b"Expect: 100-continue\r\n", b"Content-Length: 9999999\r\n")
    answer = told(served, head)
    assert (answer.status, answer.code()) == (413, "body-too-large")


def test_a_large_body_without_a_token_is_not_kept_but_answered(served: Any, bearer: tuple[bytes, bytes]) -> None:
    answer = told(served, request(b"POST", bearer[0] + b"/Basic", JSON, body=b" " * (4 * LIMIT)))
    assert (answer.status, answer.code()) == (401, "token-required")


@pytest.mark.parametrize(
    "raw",
    [
        request(b"GET", b"/fhir/Patient?" + b"a" * 66_000),
        request(b"GET", b"/fhir/Patient", b"X-Long: " + b"a" * 66_000 + b"\r\n"),
        request(b"GET", b"/fhir/Patient", *[b"X-%d: a\r\n" % at for at in range(9_000)]),
        b"GET /" + b"a" * 200_000,  # without an end
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 200_000,
    ],
    ids=["query", "header", "headers", "endless line", "endless header"],
)
def test_a_head_too_long_is_refused_with_431(served: Any, raw: bytes) -> None:
    answer = told(served, raw)
    assert (answer.status, answer.code()) == (431, "head-too-large")


def test_a_head_of_60_kilobytes_is_read(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    answer = told(
        served, request(b"GET", base + b"/Patient?family=" + b"a" * 100, token, b"X-Long: " + b"a" * 59_000 + b"\r\n")
    )
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FHIR / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad\x00Name: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: one\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda raw: repr(raw)[2:40],
)
def test_what_is_no_http_is_refused_in_fhirs_words(served: Any, raw: bytes) -> None:
    answer = told(served, raw)
    assert answer.status == 400
    assert answer.issue()["code"] == "structure"
    assert answer.code() == "http-malformed"


def test_a_deletion_whose_body_breaks_off_is_not_carried_out(served: Any, bearer: tuple[bytes, bytes]) -> None:
    base, token = bearer
    body = b'{"resourceType":"Basic","id":"kept","code":{"text":"x"}}'
    assert told(served, request(b"PUT", base + b"/Basic/kept", token, JSON, body=body)).status == 201
    broken = request(b"DELETE", base + b"/Basic/kept", token, JSON, b"Transfer-Encoding: chunked\r\n") + b"zz\r\n"
    assert told(served, broken).status == 400
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(request(b"DELETE", base + b"/Basic/kept", token, JSON, b"Content-Length: 9\r\n") + b"{}")
    assert told(served, request(b"GET", base + b"/Basic/kept", token)).status == 200


def test_a_request_id_cannot_make_headers(served: Any) -> None:
    answer = told(served, request(b"GET", b"/fhir/metadata", b"X-Request-Id: a%0d%0aSet-Cookie: b=c\r\n"))
    assert "set-cookie" not in answer.headers
    assert "%" not in answer.headers["x-request-id"]


def test_a_query_that_is_not_percent_encoded_is_refused(served: Any, bearer: tuple[bytes, bytes]) -> None:
    answer = told(served, request(b"GET", bearer[0] + "/Patient?family=Ängström".encode(), bearer[1]))
    assert (answer.status, answer.code()) == (400, "http-malformed")


def test_pipelined_requests_are_answered_in_order(served: Any) -> None:
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(first + request(b"GET", b"/fhir/metadata"))
        raw = everything(connection)
    assert raw.index(b'"ok"') < raw.index(b"CapabilityStatement")


@pytest.mark.exhaustive
@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["nothing", "half a head"])
def test_who_says_nothing_is_not_waited_for(served: Any, begun: bytes) -> None:
    first = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=15) as connection:
        connection.sendall(begun)
        assert connection.recv(1) == b""
    with socket.create_connection(("127.0.0.1", served.port), timeout=15) as connection:
        connection.sendall(first)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(begun)
        assert connection.recv(1) == b""


def test_a_head_request_has_the_length_and_no_body(served: Any) -> None:
    answer = told(served, request(b"HEAD", b"/fhir/metadata"))
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 10_000


def test_nothing_of_it_was_a_defect(served: Any) -> None:
    """The last test of this file: each line above was logged as JSON, and none of them is an error."""
    lines = served.lines()
    assert not [line for line in lines if line["level"] == "error"]

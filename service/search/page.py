"""Cursors of pages: where to go on, signed, and good only for the query and the caller they were made for.

A cursor names the last row seen by the values of its sort keys, never a number of rows to skip.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from typing import Final

import msgspec

from service.call import Call
from service.errors import BadRequest
from service.search.parse import Limits

_MAC: Final = 16
_decoder: Final = msgspec.msgpack.Decoder(list[str | int])


class Pages:
    """Signs and opens cursors with one secret; `limits` are the entries on a page, `include_limit` what includes may add."""

    def __init__(self, secret: bytes, *, limits: Limits | None = None, include_limit: int = 1000) -> None:
        self._key = sha256(b"hearth page cursor\x00" + secret).digest()
        self.limits = limits or Limits()
        self.include_limit = include_limit

    def sign(self, payload: list[str | int], binding: str, call: Call) -> str:
        """The cursor for `payload`; `binding` is the query it belongs to."""
        packed = msgspec.msgpack.encode(payload)
        return _written(self._mac(packed, binding, call) + packed)

    def open(self, cursor: str, binding: str, call: Call) -> list[str | int]:
        """What was signed. Raises BadRequest when it was not, or for another query or caller."""
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            mac, packed = raw[:_MAC], raw[_MAC:]
            # The decoder passes over what is not base64; a cursor has one spelling only.
            if _written(raw) == cursor and hmac.compare_digest(mac, self._mac(packed, binding, call)):
                return _decoder.decode(packed)
        except (UnicodeEncodeError, NotBase64, msgspec.DecodeError):
            pass
        raise refusal()

    def _mac(self, packed: bytes, binding: str, call: Call) -> bytes:
        grant = call.grant
        caller = msgspec.msgpack.encode([call.tenant_id, grant.caller, grant.key or repr(grant.rules), binding])
        return hmac.digest(self._key, len(caller).to_bytes(4) + caller + packed, "sha256")[:_MAC]


def _written(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def refusal() -> BadRequest:
    """The answer to a cursor that cannot be used."""
    return BadRequest(
        "This _cursor was not made for this query and this caller; follow the links of the first page",
        details_code="cursor-invalid",
        expression=("_cursor",),
    )

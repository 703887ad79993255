"""A request to an OAuth endpoint: its form and the client's credentials. https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from service.oauth.faults import InvalidClient, InvalidRequest

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
FIELDS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """`form` without empty values, which count as left out; `authorization` and `dpop` are the headers as sent.

    `address` and `request_id` say in the audit where it came from and which one it was.
    """

    form: Mapping[str, str]
    authorization: str | None = None
    dpop: str | None = None
    address: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves itself with."""

    client_id: str
    client_secret: str


def parameters(body: bytes, content_type: str | None) -> Mapping[str, str]:
    """The parameters in `body`. Raises InvalidRequest, also for one sent more than once (RFC 6749, 3.2)."""
    if (content_type or "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidRequest(f"Send the parameters in the body as {MEDIA_TYPE}")
    try:
        pairs = parse_qsl(body.decode(), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidRequest("The body is not a form in UTF-8") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest("Each parameter may be sent once")
    return form


def client_named(request: OAuthRequest) -> str | None:
    """The id that the client gives itself, still without proof; None where it gives none that can be read."""
    if request.authorization is not None:
        try:
            return _basic(request.authorization).client_id
        except InvalidClient:
            return None
    return request.form.get("client_id")


def credentials(request: OAuthRequest) -> Credentials:
    """The client's id and secret from the header or the form. Raises InvalidClient; InvalidRequest for both at once."""
    form = request.form
    if request.authorization is None:
        if "client_id" not in form or "client_secret" not in form:
            raise InvalidClient(
                "Authenticate the client: by HTTP Basic, by client_id and client_secret, or by an assertion"
            )
        return Credentials(form["client_id"], form["client_secret"])
    if "client_secret" in form:
        raise InvalidRequest("Send the credentials in the Authorization header or in the body, not in both")
    found = _basic(request.authorization)
    if form.get("client_id", found.client_id) != found.client_id:
        raise InvalidRequest("The client_id in the body is not the one in the Authorization header")
    return found


def _basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    client_id, colon, client_secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidClient("The Authorization header is not HTTP Basic with the client's id and secret")
    # Both are form-urlencoded before they are joined: a colon in the id would be %3A.
    return Credentials(unquote_plus(client_id), unquote_plus(client_secret))

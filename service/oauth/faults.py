"""OAuth's error answers, as Authlib models them: `status, body, headers = fault()`. https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""

from typing import Final

from authlib.oauth2.rfc6749 import errors

CHALLENGE: Final = 'Basic realm="hearth", charset="UTF-8"'
REFUSED: Final = "The client is unknown or disabled, or what it authenticates with is not valid here"
"""What is said of every proof that fails, whatever is wrong with it."""
OAuthFault = errors.OAuth2Error
"""What the functions of this package raise."""
InvalidRequest = errors.InvalidRequestError
InvalidScope = errors.InvalidScopeError


class InvalidClient(errors.InvalidClientError):
    """401 with the scheme to use; Authlib answers 400 by default and leaves out the realm that RFC 7617 asks for.

    `reason` is for the audit alone: who tries others' names or keys learns nothing from the answer.
    """

    status_code = 401

    def __init__(self, description: str | None = None, reason: str = "") -> None:
        super().__init__(description or REFUSED)
        self.reason = reason

    def get_headers(self) -> list[tuple[str, str]]:
        headers = super().get_headers()  # type: ignore[no-untyped-call]
        return [*(header for header in headers if header[0] != "WWW-Authenticate"), ("WWW-Authenticate", CHALLENGE)]


class UnauthorizedClient(OAuthFault):
    """The client may not use this grant type."""

    error = "unauthorized_client"


class InvalidGrant(OAuthFault):
    """The code or refresh token is unknown, expired, used, revoked or another client's."""

    error = "invalid_grant"


class Replayed(InvalidGrant):
    """A code or refresh token came a second time: it is in two hands, and what came of it has been ended.

    `client_id` and `fhir_user` are for the audit: whom it was issued to, whoever sent it now.
    """

    def __init__(self, description: str, client_id: str, fhir_user: str | None) -> None:
        super().__init__(description)
        self.client_id, self.fhir_user = client_id, fhir_user


class InvalidToken(OAuthFault):
    """The access token is missing, unknown, expired or revoked. https://www.rfc-editor.org/rfc/rfc6750#section-3.1"""

    error = "invalid_token"
    description = "The access token is missing, unknown here, expired or revoked"
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers = super().get_headers()
        return [*headers, ("WWW-Authenticate", f'Bearer realm="hearth", error="{self.error}"')]


class InsufficientScope(InvalidToken):
    """The access token does not allow this."""

    error = "insufficient_scope"
    status_code = 403


class InvalidProof(OAuthFault):
    """The DPoP proof does not prove what it should. https://www.rfc-editor.org/rfc/rfc9449#section-5"""

    error = "invalid_dpop_proof"


class MetadataFault(OAuthFault):
    """A client cannot be registered like this; `error` is RFC 7591's word for why (3.2.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description=said(description))
        self.error = error


def said(text: str) -> str:
    """`text` in the characters that an error's description may have (RFC 6749, 5.2)."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)


class UnsupportedGrantType(OAuthFault):
    """Unlike Authlib's, does not repeat what was sent."""

    error = "unsupported_grant_type"
    description = "This server offers the grant types authorization_code, refresh_token and client_credentials"

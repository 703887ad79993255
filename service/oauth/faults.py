"""OAuth's error answers, as Authlib models them: `status, body, headers = fault()`. https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""

from typing import Final

from authlib.oauth2.rfc6749 import errors

CHALLENGE: Final = 'Basic realm="hearth", charset="UTF-8"'
OAuthFault = errors.OAuth2Error
"""What the functions of this package raise."""
InvalidRequest = errors.InvalidRequestError
InvalidScope = errors.InvalidScopeError


class InvalidClient(errors.InvalidClientError):
    """401 with the scheme to use; Authlib answers 400 by default and leaves out the realm that RFC 7617 asks for."""

    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        headers = super().get_headers()  # type: ignore[no-untyped-call]
        return [*(header for header in headers if header[0] != "WWW-Authenticate"), ("WWW-Authenticate", CHALLENGE)]


class UnsupportedGrantType(OAuthFault):
    """Unlike Authlib's, does not repeat what was sent."""

    error = "unsupported_grant_type"
    description = "This server offers grant_type=client_credentials"

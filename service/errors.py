"""Everything Hearth refuses, as one tree; the class says the HTTP status, the Issues say why.

HearthError
├── BadRequest 400          ├── NotAcceptable 406        ├── PayloadTooLarge 413       ├── TooManyRequests 429
├── Unauthorized 401        ├── Conflict 409             ├── UnsupportedMediaType 415  └── Unavailable 503
├── Forbidden 403           ├── Gone 410                 ├── Unprocessable 422
├── NotFound 404            ├── PreconditionFailed 412   └── PreconditionRequired 428
└── MethodNotAllowed 405    └── HeadTooLarge 431
https://hl7.org/fhir/R4/http.html#Status-Codes
"""

from collections.abc import Sequence
from typing import ClassVar

from schemas.outcome import Issue

DEFECT = "Something went wrong on our side; the request id names it in the log"
"""What is said of an exception that is no HearthError."""


class HearthError(Exception):
    """The request could not be carried out."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "exception"
    details_code: ClassVar[str | None] = None

    def __init__(
        self,
        sentence: str | None = None,
        *,
        code: str | None = None,
        details_code: str | None = None,
        expression: Sequence[str] = (),
        issues: Sequence[Issue] = (),
        retry_after: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        about: tuple[str, str] | None = None,
    ) -> None:
        """`about` is the (type, id) of the resource that is refused, where a request writes several."""
        text = sentence or (type(self).__doc__ or "").strip()
        super().__init__(text)
        self.retry_after = retry_after
        self.headers = tuple(headers)
        self.about = about
        self.issues = tuple(issues) or (
            Issue("error", code or self.default_code, text, tuple(expression), details_code or self.details_code),
        )


class BadRequest(HearthError):
    """The request is not well formed."""

    status = 400
    default_code = "invalid"


class Unauthorized(HearthError):
    """Send an access token: 'Authorization: Bearer <token>'."""

    status = 401
    default_code = "login"
    details_code = "token-required"


class Forbidden(HearthError):
    """The access token does not allow this."""

    status = 403
    default_code = "forbidden"
    details_code = "not-allowed"


class NotFound(HearthError):
    """There is no such resource here."""

    status = 404
    default_code = "not-found"
    details_code = "not-found"


class MethodNotAllowed(HearthError):
    """This address does not take this method."""

    status = 405
    default_code = "not-supported"
    details_code = "method-not-allowed"


class NotAcceptable(HearthError):
    """Hearth answers in application/fhir+json."""

    status = 406
    default_code = "not-supported"
    details_code = "not-acceptable"


class Conflict(HearthError):
    """The request conflicts with the present state."""

    status = 409
    default_code = "conflict"


class Gone(HearthError):
    """The resource was deleted."""

    status = 410
    default_code = "deleted"
    details_code = "deleted"


class PreconditionFailed(HearthError):
    """The precondition of the request does not hold."""

    status = 412
    default_code = "conflict"


class PayloadTooLarge(HearthError):
    """The body is too large."""

    status = 413
    default_code = "too-long"
    details_code = "body-too-large"


class UnsupportedMediaType(HearthError):
    """Send the body as application/fhir+json."""

    status = 415
    default_code = "not-supported"
    details_code = "unsupported-media-type"


class Unprocessable(HearthError):
    """The content breaks a rule."""

    status = 422
    default_code = "processing"


class PreconditionRequired(HearthError):
    """Send If-Match with the version you changed."""

    status = 428
    default_code = "required"
    details_code = "if-match-required"


class TooManyRequests(HearthError):
    """Too many requests at once; try again a little later."""

    status = 429
    default_code = "throttled"
    details_code = "too-many-requests"


class HeadTooLarge(HearthError):
    """The request line and headers are too long."""

    status = 431
    default_code = "too-long"
    details_code = "head-too-large"


class Unavailable(HearthError):
    """The service cannot answer right now; try again a little later."""

    status = 503
    default_code = "transient"
    details_code = "unavailable"

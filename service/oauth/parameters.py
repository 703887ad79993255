"""The parameters of an authorization request, checked; the same for GET, form POST and a pushed request.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.scopes import narrow_for_person
from service.oauth.clients import Client
from service.oauth.redirect import is_registered, located
from service.oauth.smart import Place

LENGTHS: Final = {"scope": 8192, "state": 4096, "nonce": 1024, "launch": 512, "login_hint": 256, "redirect_uri": 2048}
"""The most characters of a parameter; what is not named here may have 512."""
_LENGTH: Final = 512
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9\-_]{43}")
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})


class PageFault(Exception):
    """Refused on a page of ours: nobody may be sent to an address that is not known to be the client's."""

    error = "invalid_request"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class RedirectFault(Exception):
    """Refused, and the client told so: the browser goes to `location`, which has `error` and its description."""

    def __init__(self, error: str, description: str, location: str) -> None:
        super().__init__(description)
        self.error, self.description, self.location = error, description, location


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client asks for, as far as it may; `scopes` are those it is registered for, `max_age` counts seconds."""

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    challenge: str
    nonce: str | None = None
    launch: str | None = None
    prompts: frozenset[str] = frozenset()
    max_age: int | None = None
    login_hint: str | None = None
    jkt: str | None = None


def refusal(place: Place, redirect_uri: str, state: str | None, error: str, description: str) -> RedirectFault:
    """A refusal that goes to the client, with `state` as it came and our name (RFC 9207)."""
    told = {"error": error, "error_description": description, "state": state, "iss": place.issuer}
    return RedirectFault(error, description, located(redirect_uri, **told))


def redirect_uri(params: Mapping[str, str], repeated: Collection[str], client: Client) -> str:
    """Where answers go. Raises PageFault unless it is there once and registered."""
    uri = params.get("redirect_uri")
    if uri is None or "redirect_uri" in repeated:
        raise PageFault("The app did not say, or said twice, where to return to (redirect_uri)")
    if len(uri) > LENGTHS["redirect_uri"] or not is_registered(uri, client.redirect_uris):
        raise PageFault("The address to return to (redirect_uri) is not one that this app is registered with")
    return uri


def checked(params: Mapping[str, str], repeated: Collection[str], client: Client, place: Place) -> Wanted:
    """The request, with scopes narrowed to what the client is registered for. Raises PageFault or RedirectFault."""
    uri = redirect_uri(params, repeated, client)
    state = None if "state" in repeated else params.get("state")
    if state is not None and len(state) > LENGTHS["state"]:
        state = None

    def refused(error: str, description: str) -> RedirectFault:
        return refusal(place, uri, state, error, description)

    if repeated:
        raise refused("invalid_request", "Each parameter may be sent once")
    if any(len(value) > LENGTHS.get(name, _LENGTH) for name, value in params.items()):
        raise refused("invalid_request", "A parameter is longer than this server reads")
    if state is None:
        raise refused("invalid_request", "The parameter state is missing; it protects the app against forged answers")
    _require_code(params, client, refused)
    _require_audience(params, place, refused)
    return Wanted(
        redirect_uri=uri,
        scopes=_scopes(params, client, refused),
        state=state,
        challenge=_challenge(params, refused),
        nonce=params.get("nonce"),
        launch=params.get("launch"),
        prompts=_prompts(params, refused),
        max_age=_max_age(params, refused),
        login_hint=params.get("login_hint"),
        jkt=_jkt(params, refused),
    )


Refuse = Callable[[str, str], RedirectFault]


def _require_code(params: Mapping[str, str], client: Client, refused: Refuse) -> None:
    response_type = params.get("response_type")
    if response_type is None:
        raise refused("invalid_request", "The parameter response_type is missing; it would be code")
    if response_type != "code":
        raise refused("unsupported_response_type", "This server offers response_type=code")
    if params.get("response_mode", "query") != "query":
        raise refused("invalid_request", "This server offers response_mode=query")
    if "request" in params or "request_uri" in params:
        raise refused("request_not_supported", "This server takes no request object; push the request instead (par)")
    if "authorization_code" not in client.grant_types:
        raise refused("unauthorized_client", "This client is not registered for the grant authorization_code")


def _require_audience(params: Mapping[str, str], place: Place, refused: Refuse) -> None:
    """`aud`, or its synonym `resource` (RFC 8707), names our FHIR base: a token for us is of no use elsewhere."""
    named = [params[name] for name in ("aud", "resource") if name in params]
    if not named:
        raise refused("invalid_request", "The parameter aud is missing; it would be the FHIR base URL")
    if any(value.removesuffix("/") != place.fhir_base for value in named):
        raise refused(
            "invalid_request", f"The parameter aud is not the base URL of this FHIR server, {place.fhir_base}"
        )


def _challenge(params: Mapping[str, str], refused: Refuse) -> str:
    challenge = params.get("code_challenge")
    if challenge is None:
        raise refused("invalid_request", "The parameter code_challenge is missing (PKCE, RFC 7636)")
    if params.get("code_challenge_method") != "S256":
        raise refused("invalid_request", "The parameter code_challenge_method is not S256, the only one offered")
    if not _CHALLENGE.fullmatch(challenge):
        raise refused("invalid_request", "code_challenge is not 43 to 128 of the letters, digits, -, ., _ and ~")
    return challenge


def _scopes(params: Mapping[str, str], client: Client, refused: Refuse) -> tuple[str, ...]:
    requested = params.get("scope")
    if requested is None:
        raise refused("invalid_scope", "The parameter scope is missing")
    granted = narrow_for_person(requested, client.scope).split()
    if "launch" not in params:
        granted = [word for word in granted if word != "launch"]  # there is no context that it could give
    if "refresh_token" not in client.grant_types:
        granted = [word for word in granted if word not in ("offline_access", "online_access")]
    if not granted:
        raise refused("invalid_scope", "None of the requested scopes is one that this client may ask a person for")
    if "launch" in params and "launch" not in granted:
        raise refused(
            "invalid_scope", "A launch from an EHR needs the scope launch, which was not asked for or registered"
        )
    return tuple(granted)


def _prompts(params: Mapping[str, str], refused: Refuse) -> frozenset[str]:
    prompts = frozenset(params.get("prompt", "").split())
    if prompts - _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise refused("invalid_request", "The parameter prompt is none, or some of login, consent and select_account")
    return prompts


def _max_age(params: Mapping[str, str], refused: Refuse) -> int | None:
    value = params.get("max_age")
    if value is None:
        return None
    if not re.fullmatch("[0-9]{1,9}", value):
        raise refused("invalid_request", "The parameter max_age is a number of seconds")
    return int(value)


def _jkt(params: Mapping[str, str], refused: Refuse) -> str | None:
    """The key that the code is to be bound to (RFC 9449, 10)."""
    value = params.get("dpop_jkt")
    if value is not None and not _THUMBPRINT.fullmatch(value):
        raise refused("invalid_request", "The parameter dpop_jkt is not a SHA-256 thumbprint in base64url")
    return value

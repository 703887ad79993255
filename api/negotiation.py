"""Headers to values and back: what the client sends and accepts. https://hl7.org/fhir/R4/http.html#mime-type"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Final

from service.call import Conditions, Prefer
from service.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from service.interactions.patch import FORMS

FHIR_JSON: Final = "application/fhir+json"
CONTENT_TYPE: Final = b"application/fhir+json; charset=utf-8"
_JSON: Final = frozenset((FHIR_JSON, "application/json", "text/json", "json", "application/json+fhir"))
_RANGES: Final = _JSON | {"*/*", "application/*", "text/html", "text/*"}
_FORM: Final = "application/x-www-form-urlencoded"
_SERVED: Final = "Hearth speaks JSON: application/fhir+json (application/json is understood too)"


@lru_cache(maxsize=256)
def require_acceptable(accept: str | None, wanted: str | None) -> None:
    """Raise NotAcceptable unless JSON satisfies `_format`, or else the Accept header."""
    if wanted:
        if wanted.partition(";")[0].strip().replace(" ", "+") not in _JSON:
            raise NotAcceptable(f"_format={wanted[:64]} is not served. {_SERVED}")
        return
    if not accept:
        return
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in _RANGES and not any(map(_is_zero, parameters)):
            _require_version(parameters)
            return
    raise NotAcceptable(f"None of '{accept[:128]}' is served. {_SERVED}")


@lru_cache(maxsize=256)
def chosen(accept: str | None, wanted: str | None, produces: tuple[str, ...]) -> str:
    """Which of the media types in `produces` to answer in: by `_format`, or else the Accept header; the first one for both.

    `_format` may be the last part of a name: pdf, html, svg. Raises NotAcceptable.
    """
    if wanted:
        name = wanted.partition(";")[0].strip().replace(" ", "+")
        found = next((each for each in produces if name in (each, *_SHORT.get(each, ()))), None)
        if found is None:
            raise NotAcceptable(f"_format={wanted[:64]} is not served here; {', '.join(produces)} are")
        return found
    # The more exact a range is, the more it says; of equal ones the first.
    ranges = [item.split(";") for item in (accept or "*/*").lower().split(",")]
    names = [name.strip() for name, *parameters in ranges if not any(map(_is_zero, parameters))]
    for each in produces:
        if each in names or (each == FHIR_JSON and _JSON & set(names)):
            return each
    for each in produces:
        if {"*/*", f"{each.partition('/')[0]}/*"} & set(names):
            return each
    raise NotAcceptable(f"None of '{(accept or '')[:128]}' is served here; {', '.join(produces)} are")


_SHORT: Final = {
    FHIR_JSON: ("json", "application/json", "text/json"),
    "application/json": ("json",),
    "application/pdf": ("pdf",),
    "image/png": ("png",),
    "image/svg+xml": ("svg",),
    "text/html": ("html",),
}


@lru_cache(maxsize=256)
def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether the client reads gzip: named, or meant by *, and not with q=0."""
    weights: dict[str, bool] = {}
    for item in (accept_encoding or "").split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[name] = not any(map(_is_zero, parameters))
    return weights.get("gzip", weights.get("*", False))


def _is_zero(parameter: str) -> bool:
    return parameter.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _require_version(parameters: list[str]) -> None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "fhirversion" and value.strip(' "') not in ("4.0", "4.0.1"):
            raise NotAcceptable(f"fhirVersion {value[:16]} is not served; Hearth is FHIR R4 (fhirVersion=4.0)")


@lru_cache(maxsize=256)
def media_type(content_type: str | None, method: str, is_search: bool) -> str:
    """The media type of a body. Raises UnsupportedMediaType for one that the method does not take."""
    if content_type is None:
        raise UnsupportedMediaType(f"The body has no Content-Type. {_SERVED}")
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and value.strip('"') not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMediaType(f"charset={value[:32]} is not read; send UTF-8")
    allowed = FORMS if method == "PATCH" else _JSON
    if name in allowed or (is_search and name == _FORM):
        return name
    if method == "PATCH":
        raise UnsupportedMediaType(
            f"A patch is sent as one of {', '.join(FORMS)}", headers=[("Accept-Patch", ", ".join(FORMS))]
        )
    raise UnsupportedMediaType(f"A body of type '{name[:64]}' is not read. {_SERVED}")


def conditions(headers: Mapping[str, str]) -> Conditions:
    """The conditional headers. Raises BadRequest for dates and tags that cannot be read."""
    if not headers.keys() & _CONDITIONAL:
        return _NO_CONDITIONS
    since = headers.get("if-modified-since")
    return Conditions(
        if_match=_tag("If-Match", headers.get("if-match")),
        if_none_match=_tag("If-None-Match", headers.get("if-none-match")),
        if_modified_since=None if since is None else _date(since),
        if_none_exist=headers.get("if-none-exist"),
    )


_CONDITIONAL: Final = frozenset(("if-match", "if-none-match", "if-modified-since", "if-none-exist"))
_NO_CONDITIONS: Final = Conditions()


def _tag(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    tag = value.strip().removeprefix("W/")
    if tag.startswith('"') and tag.endswith('"') and len(tag) > 2:
        tag = tag[1:-1]
    if not tag or '"' in tag or "," in tag:
        raise BadRequest(f'{name}: {value[:64]} is not one version; send it as the ETag was: W/"3"', code="value")
    return tag


def _date(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError) as fault:
        raise BadRequest(f"If-Modified-Since: {text[:64]} is no HTTP date", code="value") from fault
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def prefer(header: str | None) -> Prefer:
    """The Prefer header; what is not known in it is ignored (RFC 7240 2)."""
    returns, strict = None, True
    for item in (header or "").replace(",", ";").split(";"):
        name, _, value = item.strip().partition("=")
        if name == "return" and value in ("minimal", "representation", "OperationOutcome"):
            returns = value
        elif name == "handling":
            strict = value != "lenient"
    return Prefer(returns, strict)


@lru_cache(maxsize=4096)
def http_date(moment: datetime) -> bytes:
    """A moment to the second as an HTTP date."""
    return format_datetime(moment.astimezone(UTC), usegmt=True).encode()

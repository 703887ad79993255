"""Patient/[id]/$chart: progress as a picture, or as the numbers it is drawn from. Docs: docs/pictures-and-prints.md

https://hl7.org/fhir/R4/operations.html
"""

from typing import Any, Final

import msgspec

from schemas import words
from schemas.nearest import did_you_mean
from service.call import Call, Reply
from service.interactions.read import existing
from service.operations.parameters import Asked, asked, malformed
from service.pictures import palette, picture, sources
from service.pictures.phrases import phrases
from service.pictures.picture import Look
from service.pictures.series import Series
from service.store import Store

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
"""What a picture that is opened by itself may load: nothing (https://www.w3.org/TR/CSP3/)."""
JSON: Final = "application/json"
SVG: Final = "image/svg+xml"
PNG: Final = "image/png"
PRODUCES: Final = (SVG, PNG, JSON)
_NAMES: Final = ("kind", "code", "start", "end", "by", "language", "theme", "width", "scale")


async def chart(call: Call, store: Store) -> Reply:
    """The picture in the media type asked for; one that says so kindly where there is nothing to draw yet."""
    assert call.id is not None
    given = asked(call, _NAMES)
    kind = _kind(given)
    call.grant.require("r", "Patient")
    for needed in sources.KINDS[kind].needs:
        call.grant.require("s", needed)
    patient = store.resource(await existing(store, "Patient", call.id))
    look = _look(given, language_of(given, patient))
    want = await sources.wanted(call, store, given, patient, phrases(look.language))
    series = await sources.KINDS[kind].source(want)
    content = _numbers(kind, series, look) if call.accept == JSON else await _drawn(call.accept, series, look)
    headers = (("Content-Security-Policy", POLICY), ("Content-Language", look.language))
    return Reply(200, content, type="Patient", id=call.id, headers=headers, patient=call.id, media_type=call.accept)


def language_of(given: Asked, patient: dict[str, Any]) -> str:
    """The language asked for, else the one that the Patient prefers as far as we speak it. Raises BadRequest."""
    text = given.text("language")
    if text is not None:
        if _bare(text) not in words.LANGUAGES:
            raise malformed("language", f"language={text[:32]} is not spoken here; {', '.join(words.LANGUAGES)} are")
        return _bare(text)
    return preferred(patient)


def preferred(patient: dict[str, Any]) -> str:
    """The language that the Patient prefers as far as we speak it, else English."""
    known = sorted(patient.get("communication", ()), key=lambda each: not each.get("preferred", False))
    codes = [coding.get("code", "") for each in known for coding in each.get("language", {}).get("coding", ())]
    codes.append(patient.get("language", ""))
    return next((_bare(code) for code in codes if _bare(code) in words.LANGUAGES), words.LANGUAGES[0])


def _bare(code: str) -> str:
    return code.partition("-")[0].lower()


def _kind(given: Asked) -> str:
    kind = given.text("kind")
    if kind is None or kind not in sources.KINDS:
        near = did_you_mean(kind, sources.KINDS) if kind else ""
        raise malformed("kind", f"kind says what to draw.{near} It is one of {', '.join(sources.KINDS)}")
    return kind


def _look(given: Asked, language: str) -> Look:
    theme = palette.THEMES[given.choice("theme", tuple(palette.THEMES), "auto")]
    width = given.number("width", picture.WIDTHS.start, picture.WIDTHS.stop - 1, picture.WIDTH)
    least, most = picture.SCALES
    return Look(language, theme, width, given.number("scale", least, most, 2))


async def _drawn(media_type: str, series: Series, look: Look) -> bytes:
    return await picture.in_turn(picture.drawn, series, "png" if media_type == PNG else "svg", look)


def _numbers(kind: str, series: Series, look: Look) -> bytes:
    """What the picture shows, for programs and for who would rather read it."""
    alternative = picture.alternative_of(series, look.language)
    said = {"kind": kind, "language": look.language, "alternative": alternative, "series": series}
    return msgspec.json.encode(said)

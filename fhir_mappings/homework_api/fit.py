"""What may not suit a client about an activity, by what both say. https://hl7.org/fhir/R4/metadatatypes.html#UsageContext

Nothing is refused for it: a therapist may know better, and is told before the client is.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from fhir_mappings.homework_api import library
from fhir_mappings.homework_api.people import language
from schemas import dates
from schemas.homework.library import Fit

JsonObject = Mapping[str, Any]


def cautions(activity: JsonObject, client: JsonObject, today: date) -> tuple[str, ...]:
    """Sentences for who gives the activity to this Patient: of their age and their language, where they are known."""
    found = library.fit(activity)
    return () if found is None else (*_age(found, client, today), *_language(found, client))


def _age(fit: Fit, client: JsonObject, today: date) -> Iterator[str]:
    born = client.get("birthDate")
    if born is None:
        return
    # Of a birth date that is only a year or a month, the age that comes nearest to fitting counts.
    span = dates.interval(born)
    youngest, oldest = (_years(each.date(), today) for each in (span.hi - timedelta(seconds=1), span.lo))
    least, most = fit.least_age, fit.most_age
    if (least is not None and oldest < least) or (most is not None and youngest > most):
        yield f"It is meant for {_meant(least, most)}, and the client is {youngest}"


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _meant(least: int | None, most: int | None) -> str:
    if most is None:
        return f"{least} years and older"
    return f"{most} years and younger" if least is None else f"{least} to {most} years"


def _language(fit: Fit, client: JsonObject) -> Iterator[str]:
    spoken = language(client)
    if spoken is None or fit.languages is None:
        return
    if not any(
        spoken.lower() == each.lower() or spoken.lower().startswith(f"{each.lower()}-") for each in fit.languages
    ):
        yield f"It is there in {', '.join(fit.languages)}, and the client prefers {spoken}"

"""Ratings, scores, goals and the words for barriers. Docs: docs/homework-api.md."""

from typing import Any

from fhir_mappings.homework_api import goal as goals
from fhir_mappings.homework_api import results as mapping
from fhir_mappings.homework_api.element import code, id_of
from fhir_mappings.observation import LOINC
from schemas.homework import vocabulary
from schemas.homework.results import SCALES, BarrierWord, RatingKindTold
from schemas.instruments import instruments
from service.call import Reply
from service.errors import Unprocessable
from service.homework_api.ask import Ask, Write, absent, changed, escaped

JsonObject = dict[str, Any]
_RATING_POINTERS = {
    "": "#",
    "value": "#/value",
    "effective": "#/at",
    "effectiveDateTime": "#/at",
    "focus": "#/assignment",
}
_GOAL_POINTERS = {"description": "#/text", "startDate": "#/starts", "target": "#/due", "extension": "#/levels"}
_RATINGS = ",".join(f"{mapping.MEASURE}|{kind}" for kind in SCALES)


async def barriers(ask: Ask) -> Reply:
    """The words for what can get in the way."""
    known = vocabulary.words("barrier")
    return ask.listed(
        [BarrierWord(code=each, title=known[each].title, meaning=known[each].meaning) for each in vocabulary.BARRIERS],
        None,
    )


async def rating_kinds(ask: Ask) -> Reply:
    """What can be rated, on which scale."""
    known = vocabulary.words("measure")
    return ask.listed(
        [
            RatingKindTold(kind=kind, title=known[kind].title, meaning=known[kind].meaning, least=least, most=most)
            for kind, (least, most) in SCALES.items()
        ],
        None,
    )


async def rate(ask: Ask) -> Reply:
    """Keep a rating."""
    client = ask.client(ask.body.client, "#/client")
    made = mapping.observation(ask.body, client=client, author=ask.author or f"Patient/{client}", now=ask.now)
    written = await ask.write([Write(made, None, None, _RATING_POINTERS)])
    return ask.reply(mapping.rating(written[0]), 201, of=written[0], at=f"ratings/{written[0]['id']}")


async def ratings(ask: Ask) -> Reply:
    """A page of ratings, newest first."""
    query = ask.query
    asked = (
        ("code", f"{mapping.MEASURE}|{query.kind}" if query.kind else _RATINGS),
        ("patient", query.client),
        ("focus", query.assignment and f"Task/{query.assignment}"),
        ("date", query.since and f"ge{query.since}"),
    )
    params = [("_sort", "-date"), ("status:not", "entered-in-error"), *((name, text) for name, text in asked if text)]
    found = await ask.page("Observation", params)
    return ask.listed([mapping.rating(each) for each in found.matches], found.cursor)


async def read_rating(ask: Ask) -> Reply:
    """One rating."""
    found = await ask.resource("Observation", ask.ids["id"])
    if code(found["code"], mapping.MEASURE) not in SCALES:
        raise absent("rating", ask.ids["id"])
    return ask.reply(mapping.rating(found), of=found)


async def increment(ask: Ask) -> Reply:
    """Count on. Two at once both count; one sent twice under the same Idempotency-Key counts once."""

    async def make(found: JsonObject) -> list[Write]:
        if code(found["code"], mapping.MEASURE) != "frequency" or "valueInteger" not in found:
            raise Unprocessable("Only a rating of kind frequency can be counted on", details_code="not-a-count")
        return [changed({**found, "valueInteger": found["valueInteger"] + ask.body.by}, found, {"": "#/by"})]

    written = await ask.change("Observation", ask.ids["id"], make, any_version=True)
    return ask.reply(mapping.rating(written[0]), of=written[0])


async def scores(ask: Ask) -> Reply:
    """A page of the totals of questionnaires, newest first."""
    query = ask.query
    known = [f"{LOINC}|{each}" for each in _totals()]
    asked = (
        ("code", escaped(query.measure) if query.measure else ",".join(known)),
        ("patient", query.client),
        ("date", query.since and f"ge{query.since}"),
    )
    params = [("_sort", "-date"), ("status:not", "entered-in-error"), *((name, text) for name, text in asked if text)]
    found = await ask.page("Observation", params)
    return ask.listed([mapping.score(each) for each in found.matches], found.cursor)


def _totals() -> list[str]:
    return [scale.code[1] for each in instruments().values() for scale in each.scales if scale.code[0] == LOINC]


async def set_goal(ask: Ask) -> Reply:
    """A new goal."""
    client = ask.client(ask.body.client, "#/client")
    written = await ask.write([Write(goals.resource(ask.body, client), None, None, _GOAL_POINTERS)])
    return ask.reply(goals.goal(written[0]), 201, of=written[0], at=f"goals/{written[0]['id']}")


async def list_goals(ask: Ask) -> Reply:
    """A page of goals."""
    params = [("_sort", "-start-date"), ("lifecycle-status:not", "entered-in-error")]
    params += [("patient", ask.query.client)] if ask.query.client else []
    found = await ask.page("Goal", params)
    return ask.listed([goals.goal(each) for each in found.matches], found.cursor)


async def read_goal(ask: Ask) -> Reply:
    """One goal."""
    found = await ask.resource("Goal", ask.ids["id"])
    return ask.reply(goals.goal(found), of=found)


async def change_goal(ask: Ask) -> Reply:
    """Say something anew of a goal; what is left out stays."""

    async def make(found: JsonObject) -> list[Write]:
        return [changed(goals.changed(found, ask.body), found, _GOAL_POINTERS)]

    written = await ask.change("Goal", ask.ids["id"], make)
    return ask.reply(goals.goal(written[0]), of=written[0])


async def attain(ask: Ask) -> Reply:
    """Keep how far a goal is reached, as who asks sees it."""
    goal = await ask.resource("Goal", ask.ids["id"])
    client = id_of(goal.get("subject"), "Patient")
    if client is None:
        raise Unprocessable("This goal is no client's", details_code="not-a-clients")
    made = goals.attainment(ask.body, goal["id"], client=client, author=ask.author, now=ask.now)
    written = await ask.write(
        [Write(made, None, None, {"": "#/level", "effective": "#/at", "effectiveDateTime": "#/at"})]
    )
    told = goals.attained(written[0])
    assert told is not None
    return ask.reply(told, 201, of=written[0])


async def attainments(ask: Ask) -> Reply:
    """A page of how far a goal was reached, newest first."""
    codes = ",".join(f"{LOINC}|{each}" for each, _ in goals.FOLLOW_UP.values())
    params = [
        ("focus", f"Goal/{ask.ids['id']}"),
        ("code", codes),
        ("_sort", "-date"),
        ("status:not", "entered-in-error"),
    ]
    found = await ask.page("Observation", params)
    return ask.listed([told for each in found.matches if (told := goals.attained(each)) is not None], found.cursor)

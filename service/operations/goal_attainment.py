"""Patient/[id]/$goal-attainment: where a client's goals began and where they are now. Docs: docs/insight.md, "Goals"

https://build.fhir.org/ig/HL7/pco-ig/StructureDefinition-pco-goal-attainment-scaling.html
What the ratings speak for is a suggestion: Goal.achievementStatus is for the therapist and the client to set.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_mappings import attainment
from fhir_mappings.attainment import RATERS, Rating, Standing
from fhir_mappings.observation import LOINC
from service.call import Call, Reply
from service.interactions.read import existing
from service.operations.parameters import Asked, asked
from service.operations.parts import answer, parameter, parts, typed
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("rater", "end")
_MOST: Final = 1_000
_LEFT: Final = "rejected,entered-in-error"


async def goal_attainment(call: Call, store: Store) -> Reply:
    """A Parameters with a `score` for each kind of rater, and in it each goal they rated."""
    assert call.id is not None
    call.grant.require("r", "Patient")
    call.grant.require("s", "Goal")
    call.grant.require("s", "Observation")
    given = asked(call, _NAMES)
    raters = tuple(dict.fromkeys(RATERS.values()))
    rater = given.choice("rater", raters, "")
    await existing(store, "Patient", call.id)
    goals = await _goals(call, store)
    found = await _ratings(call, store, given)
    weights = {name: attainment.weight(goal) for name, goal in goals.items()}
    standings = {each: attainment.standings(found, weights, each) for each in ([rater] if rater else raters)}
    if not rater and any(standings[each] for each in raters if each != attainment.REPORTED):
        del standings[attainment.REPORTED]  # where goals began, in the eyes of the others
    rows = [_score(name, each, goals) for name, each in standings.items() if each]
    return Reply(200, answer(rows), type="Patient", id=call.id, patient=call.id)


async def _goals(call: Call, store: Store) -> dict[str, JsonObject]:
    """The client's goals that the caller may see, by their references."""
    params = [("patient", str(call.id)), ("lifecycle-status:not", _LEFT)]
    found = await find(call, store, "Goal", params, "s", _MOST)
    return {f"Goal/{each.id}": each.resource(store.codec) for each in found}


async def _ratings(call: Call, store: Store, given: Asked) -> list[Rating]:
    codes = ",".join(f"{LOINC}|{code}" for code in RATERS)
    bounds = [("date", f"le{given.text('end')}")] if given.date("end") else []
    found = await find(call, store, "Observation", [("patient", str(call.id)), ("code", codes), *bounds], "s", _MOST)
    made = (attainment.rating({**each.resource(store.codec), "id": each.id}) for each in found)
    return [each for each in made if each is not None]


def _score(rater: str, standings: Sequence[Standing], goals: Mapping[str, JsonObject]) -> JsonObject:
    baseline, now = attainment.scores(standings)
    change = None if baseline is None or now is None else now - baseline
    figures = parts(rater=rater, n=len(standings), baseline=baseline, score=now, change=change)
    return parameter("score", *figures, *(_goal(each, goals[each.goal]) for each in standings))


def _goal(standing: Standing, goal: JsonObject) -> JsonObject:
    words = attainment.levels(goal)
    return parameter(
        "goal",
        typed("reference", "Reference", {"reference": standing.goal}),
        *parts(
            text=goal.get("description", {}).get("text"),
            weight=standing.weight,
            baseline=standing.baseline.level,
            level=standing.current.level,
            meaning=words.get(standing.current.level),
            change=standing.change,
        ),
        typed("rated", "DateTime", standing.current.recorded),
        typed("source", "Reference", {"reference": standing.current.source}),
        typed("suggestion", "CodeableConcept", attainment.achievement(attainment.suggestion(standing))),
    )

"""The weeks after the first answer: an exposure ladder and a weekly PHQ-9, done, declined, adapted, reviewed and drawn.

Robin's app and Kim's speak the homework API where it is enough, and FHIR where it is the point; both are the same data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx

from schemas import dates, json
from schemas.library import BASE
from service.demo.wire import JourneyFault, JsonObject, Server, body, send

_LADDER: Final = f"{BASE}/PlanDefinition/exposure-ladder"
_PHQ9: Final = "PHQ-9"
_TOTAL: Final = "44261-6"
_REVIEW: Final = f"{BASE}/CodeSystem/homework-activity-type|clinician-risk-review"
_WEEKS: Final = timedelta(days=28)
_LAST: Final = (1, 1, 1, 1, 0, 1, 1, 0, 1)
"""Which option answers each question of the last PHQ-9: a total of 7, and not "not at all" to the ninth."""


@dataclass(frozen=True, slots=True)
class Api:
    """The homework API, with the access token of one program."""

    http: httpx.Client
    root: str
    token: str

    @classmethod
    def beside(cls, server: Server) -> "Api":
        """The one that stands beside a FHIR API, for the same program."""
        return cls(server.http, server.root.removesuffix("/fhir") + "/api/v1", server.token)

    def get(self, step: str, path: str, **params: str) -> JsonObject:
        """Read or list."""
        return self._ask(step, "GET", path, params=params)

    def post(self, step: str, path: str, said: Mapping[str, Any], version: int | None = None) -> JsonObject:
        """Make something, or do something about the version that was read."""
        condition = {} if version is None else {"If-Match": f'W/"{version}"'}
        return self._ask(step, "POST", path, content=json.encode(said), headers=condition)

    def _ask(
        self, step: str, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> JsonObject:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} | dict(headers or {})
        return body(step, send(self.http, step, method, f"{self.root}/{path}", headers=sent, **more))


def run(kim: Server, robin: Server, patient: str, practitioner: str, tell: Callable[[str], None]) -> None:
    """Play the weeks; `kim` and `robin` are the programs of therapist and client. Raises JourneyFault."""
    theirs, own, client = Api.beside(kim), Api.beside(robin), patient.removeprefix("Patient/")
    first = _ladder(kim, patient, practitioner, tell)
    exposure = _give(theirs, client, practitioner, _exposure(first), tell)
    measure = _give(theirs, client, practitioner, _weekly(theirs), tell)
    _do(own, exposure, tell)
    declined = _decline(own, exposure, tell)
    _adapt(theirs, declined, tell)
    _measure(own, robin, measure, patient, tell)
    _look(kim, patient, tell)
    _review(kim, theirs, client, tell)


def _ladder(kim: Server, patient: str, practitioner: str, tell: Callable[[str], None]) -> str:
    """The step of the ladder that this client is at."""
    step = "Applying the ladder"
    found = kim.get(step, "PlanDefinition", url=_LADDER, status="active")
    if not found.get("entry"):
        raise JourneyFault(f"{step}: the library has no {_LADDER}")
    plan = found["entry"][0]["resource"]
    applied = kim.get(step, f"PlanDefinition/{plan['id']}/$apply", subject=patient, practitioner=practitioner)
    fit = [action["title"] for group in _of_type(applied, "RequestGroup") for action in _actions(group)]
    if not fit:
        raise JourneyFault(f"{step}: no step of {_LADDER} fits Robin")
    tell(
        f"Kim applies the library's '{plan['title']}', {len(plan['action'])} steps, to Robin. What fits now: {fit[0]}."
    )
    return str(fit[0])


def _of_type(applied: JsonObject, name: str) -> list[JsonObject]:
    """The resources of a type in what $apply answers."""
    inner = [*applied.get("contained", ()), *(each["resource"] for each in applied.get("entry", ()))]
    return [each for each in (applied, *inner) if each.get("resourceType") == name]


def _actions(group: JsonObject) -> list[JsonObject]:
    return [action for action in group.get("action", ()) if "title" in action]


def _exposure(title: str) -> JsonObject:
    return {"title": title, "type": "exposure-step", "dose": {"times": 1, "unit": "day", "minutes": 30}}


def _weekly(theirs: Api) -> JsonObject:
    step = "Looking in the library"
    found = theirs.get(step, "library/activities", title=_PHQ9, type="outcome-measure")["items"]
    activity = next((each for each in found if each["title"].startswith(f"{_PHQ9}:")), None)
    if activity is None:
        raise JourneyFault(f"{step}: the library has no {_PHQ9}")
    return {"activity": activity["id"]}


def _give(theirs: Api, client: str, practitioner: str, what: JsonObject, tell: Callable[[str], None]) -> JsonObject:
    """A series; returned is what is due first of it."""
    step = "Giving homework"
    due = dates.instant(dates.clock() + _WEEKS)
    therapist = practitioner.removeprefix("Practitioner/")
    said = {"client": client, "therapist": therapist, "due": due, "set": "session-1", **what}
    if "title" in what:
        forms = theirs.get(step, "library/forms", title="exposure")["items"]
        said["form"] = next(each["id"] for each in forms if each["url"].partition("|")[0].endswith("/exposure-record"))
    series = theirs.post(step, "assignments", said)
    parts = theirs.get(step, "assignments", part_of=series["id"], limit="100")["items"]
    if series["kind"] != "series" or not parts:
        raise JourneyFault(f"{step}: {series['title']} is {series['kind']} with {len(parts)} parts")
    tell(f"Kim gives '{series['title']}' for four weeks; {len(parts)} times are in Robin's list, the next ones follow.")
    return dict(parts[0])


def _do(own: Api, first: JsonObject, tell: Callable[[str], None]) -> None:
    step = "Doing a step"
    answers = {
        "situation": first["title"],
        "suds-pre": 70,
        "suds-peak": 85,
        "suds-post": 40,
        "learned": "It went down by itself while I stayed",
    }
    draft = own.post(step, f"assignments/{first['id']}/answers", {"answers": {"situation": first["title"]}})
    tell(f"Robin begins '{first['title']}' and saves a draft: QuestionnaireResponse/{draft['id']}.")
    own.post(step, f"answers/{draft['id']}/submit", {"answers": answers}, draft["version"])
    done = own.get(step, f"assignments/{first['id']}")
    if done["state"] != "done":
        raise JourneyFault(f"{step}: the assignment is {done['state']}")
    tell(
        "Robin finishes it: distress 70 before, 85 at the peak, 40 after. The assignment is done, the ratings are kept."
    )


def _decline(own: Api, exposure: JsonObject, tell: Callable[[str], None]) -> JsonObject:
    step = "Declining"
    left = own.get(step, "assignments", part_of=exposure["part_of"], state="upcoming", limit="1")["items"]
    if not left:
        raise JourneyFault(f"{step}: there is no next time")
    barrier = {"code": "too-hard", "text": "Not every day, please"}
    declined = own.post(step, f"assignments/{left[0]['id']}/decline", {"barrier": barrier}, left[0]["version"])
    tell(f"Robin declines the next time and says why: {barrier['text']} ({declined['barrier']['code']}).")
    return declined


def _adapt(theirs: Api, declined: JsonObject, tell: Callable[[str], None]) -> None:
    step = "Adapting"
    series = theirs.get(step, f"assignments/{declined['part_of']}")
    dose = {"times": 1, "unit": "week", "days": ["monday", "thursday"], "minutes": 20}
    said = {"reason": "Twice a week is plenty to begin with.", "dose": dose}
    new = theirs.post(step, f"assignments/{series['id']}/replace", said, series["version"])
    old = theirs.get(step, f"assignments/{series['id']}")
    if new["replaces"] != series["id"] or old["state"] != "withdrawn":
        raise JourneyFault(f"{step}: {new['id']} replaces {new.get('replaces')}, the old one is {old['state']}")
    tell(f"Kim replaces it: '{new['title']}' twice a week. The old series is kept with what was done of it.")


def _measure(own: Api, robin: Server, first: JsonObject, patient: str, tell: Callable[[str], None]) -> None:
    step = "Answering the PHQ-9"
    form = own.get(step, "library/forms", url=first["form"])["items"][0]
    asked = [each for each in form["questions"] if each["kind"] == "choice"]
    answers = {each["key"]: each["options"][choice]["value"] for each, choice in zip(asked, _LAST, strict=False)}
    own.post(step, f"assignments/{first['id']}/answers", {"answers": answers, "submit": True})
    scores = own.get(step, "scores", limit="1")["items"]
    tell(f"Robin answers the weekly PHQ-9: {scores[0]['value']}, {scores[0].get('band', '')}.")
    told = robin.get(step, "Communication", recipient=patient, _sort="-_lastUpdated", _count="1")
    if not told.get("entry"):
        raise JourneyFault(f"{step}: nothing was said to Robin about the ninth answer")
    text = told["entry"][0]["resource"]["payload"][0]["contentString"]
    tell(f"The ninth answer tells of risk, so Robin reads at once: {text.split('. ')[0]}.")


def _look(kim: Server, patient: str, tell: Callable[[str], None]) -> None:
    """Kim looks at what tells of risk, and says so."""
    step = "Looking at the alert"
    found = kim.get(step, "Task", patient=patient, code=_REVIEW, status="requested", _sort="-_lastUpdated", _count="1")
    if not found.get("entry"):
        raise JourneyFault(f"{step}: there is no review for Kim")
    review = found["entry"][0]["resource"]
    due = review["restriction"]["period"]["end"]
    tell(
        f"Kim has a review to do, {review['priority']}, by {due[:16].replace('T', ' ')}: Task/{review['id']}, with a Flag."
    )
    for status in ("in-progress", "completed"):
        review = kim.put(step, f"Task/{review['id']}", {**review, "status": status})
    flags = kim.get(step, "Flag", patient=patient, _sort="-_lastUpdated", _count="1")["entry"]
    tell(f"Kim calls Robin, and completes the review; the Flag is {flags[0]['resource']['status']} now.")


def _review(kim: Server, theirs: Api, client: str, tell: Callable[[str], None]) -> None:
    """What Kim sees in the first minutes of the next session."""
    step = "Preparing the session"
    courses = theirs.get(step, f"clients/{client}/measures")["items"]
    course = next((each for each in courses if each["measure"] == _TOTAL), None)
    if course is None:
        raise JourneyFault(f"{step}: the PHQ-9 has no course")
    summary = kim.get(step, f"Patient/{client}/$session-summary")
    sections = [section["title"] for section in _of_type(summary, "Composition")[0].get("section", ())]
    tell(f"Kim opens the summary for the session: {', '.join(sections)}.")
    chart = kim.numbers(
        step, f"Patient/{client}/$chart", kind="score", code=f"http://loinc.org|{_TOTAL}", language="en"
    )
    tell(f"The chart, in words: {chart['alternative']}")

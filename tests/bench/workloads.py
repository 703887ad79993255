"""The workloads: what the callers ask, and the CPU that each request may cost at 100,000 resources."""

import random
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from urllib.parse import quote

import homework
import persons
from homework import KINDS, MEASURE, Person
from load import Answer, Script, Workload
from seed import transact
from stage import CALLERS, Stage, over

from fhir_mappings.prescription import Assignment, assign
from schemas import dates, json

ENTRIES_TOGETHER = 90
UPDATED_PER_CALLER = 4
CANDIDATES = 60
_COURSE = timedelta(weeks=12)


@dataclass(frozen=True, slots=True)
class Row:
    """A workload: its name, its goal in CPU-ms, what it asks, and how many callers ask it."""

    name: str
    goal: float | None
    build: Callable[[Stage], Awaitable[Workload]]
    callers: int = CALLERS


def _fresh(stage: Stage, make: Callable[[random.Random, Person], bytes]) -> Workload:
    """Every request is a new one."""

    def script(number: int) -> Script:
        rng = random.Random(f"{number} {stage.rng.random()}")
        while True:
            yield make(rng, rng.choice(stage.persons))

    return script


async def _read(stage: Stage) -> Workload:
    found = await stage.sample.some("Observation") + await stage.sample.some("Task")
    stage.rng.shuffle(found)
    return over([stage.get(reference) for reference in found])


async def _vread(stage: Stage) -> Workload:
    return over([stage.get(f"{reference}/_history/1") for reference in await stage.sample.some("Observation")])


async def _create_task(stage: Stage) -> Workload:
    def make(rng: random.Random, person: Person) -> bytes:
        return stage.post("Task", homework.task(rng, person.patient, person.practitioner, rng.choice(person.requests)))

    return _fresh(stage, make)


async def _create_observation(stage: Stage) -> Workload:
    def make(rng: random.Random, person: Person) -> bytes:
        return stage.post("Observation", homework.mood(rng, person.patient, rng.choice(person.requests)))

    return _fresh(stage, make)


async def _answer_phq9(stage: Stage, at_risk: bool = False) -> Workload:
    """Every answer does this week's PHQ-9 of a weekly series of its own, assigned before; the series' head is told."""
    count = CALLERS * 8 + int(stage.seconds * 300)
    whose = [stage.rng.choice(stage.persons) for _ in range(count)]
    requests: list[str] = []
    for start in range(0, count, ENTRIES_TOGETHER // 3):
        entries = []
        for person in whose[start : start + ENTRIES_TOGETHER // 3]:
            entries += assign(_assignment(person), lambda: str(uuid.uuid4()))["entry"]
        made = await transact(stage.place, stage.connection, entries)
        requests += [reference for reference in made if reference.startswith("ServiceRequest/")]
    bodies = (
        stage.post("QuestionnaireResponse", homework.phq9(stage.rng, person.patient, request, at_risk))
        for person, request in zip(whose, requests, strict=True)
    )

    def script(_number: int) -> Script:
        for body in shared:  # noqa: UP028
            yield body

    shared: Iterator[bytes] = iter(list(bodies))
    return script


def _assignment(person: Person) -> Assignment:
    now = dates.instant(dates.clock())
    end = dates.instant(dates.clock() + _COURSE)
    return Assignment(person.patient, person.practitioner, KINDS["PHQ9Measure"], now[:10], end[:10], now)


async def _update_task(stage: Stage) -> Workload:
    """Each caller raises and lowers the priority of Tasks of its own, as read, naming the version that it changes."""
    found = (await stage.sample.some("Task"))[: CALLERS * UPDATED_PER_CALLER]
    answers = [await stage.connection.ask(stage.get(reference)) for reference in found]

    def script(number: int) -> Script:
        mine = [(answer.json(), answer.header("etag")) for answer in answers[number::CALLERS]]
        at = 0
        while mine:
            task, etag = mine[at]
            task["priority"] = "urgent" if task["priority"] != "urgent" else "routine"
            task["lastModified"] = dates.instant(dates.clock())
            path = f"/fhir/Task/{task['id']}"
            answer: Answer = yield stage.place.request("PUT", path, json.encode(task), {"If-Match": etag})
            mine[at] = (task, answer.header("etag"))
            at = (at + 1) % len(mine)

    return script


async def _transaction(stage: Stage) -> Workload:
    """A plan with its goal and five Tasks, which refer to each other."""

    def make(rng: random.Random, person: Person) -> bytes:
        plan, goal, *tasks = (f"urn:uuid:{uuid.uuid4()}" for _ in range(7))
        resources = [
            (plan, homework.care_plan(rng, person.patient, person.practitioner, goal, tasks)),
            (goal, homework.goal(rng, person.patient)),
            *((url, homework.task(rng, person.patient, person.practitioner, plan, "ready")) for url in tasks),
        ]
        entries = [
            {"fullUrl": url, "resource": body, "request": {"method": "POST", "url": body["resourceType"]}}
            for url, body in resources
        ]
        return stage.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries})

    return _fresh(stage, make)


async def _fullest(stage: Stage, paths: Sequence[str]) -> Workload:
    """The searches that answer with full pages; where the data is too small for that, the fullest ones."""
    counted = []
    for path in paths[:CANDIDATES]:
        answer = await stage.connection.ask(stage.get(path))
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}: {answer.body.decode()[:500]}")
        counted.append((len(answer.json().get("entry", ())), path))
    most = max(counted)[0]
    return over([stage.get(path) for count, path in counted if count >= most * 0.9])


async def _tasks_by_status(stage: Stage) -> Workload:
    return await _fullest(
        stage, [f"Task?patient={who}&status=ready&_count=20" for who in await stage.sample.busy("Task")]
    )


async def _observations_by_code(stage: Stage) -> Workload:
    code = quote(f"{MEASURE}|pleasure")
    since = "&date=ge2025-01-01&_sort=-date&_count=5"
    who = await stage.sample.busy("Observation")
    return await _fullest(stage, [f"Observation?patient={patient}&code={code}{since}" for patient in who])


async def _include(stage: Stage) -> Workload:
    more = "&status=ready&_count=10&_include=Task:based-on&_include=Task:requester"
    return await _fullest(stage, [f"Task?patient={who}{more}" for who in await stage.sample.busy("Task")])


async def _population(stage: Stage) -> Workload:
    code = quote(f"{MEASURE}|pleasure")
    return over([stage.get(f"Observation?code={code}&_sort=-date&_count=50&_total=accurate")])


async def _everything(stage: Stage) -> Workload:
    who = await stage.sample.busy(least=100, most=400) or await stage.sample.busy()
    return await _fullest(stage, [f"{patient}/$everything?_count=100" for patient in who])


async def _metadata(stage: Stage) -> Workload:
    return over([stage.get("metadata")])


async def _conditional_create(stage: Stage) -> Workload:
    """Every condition is a new one, so that each request locks, searches and creates."""

    def make(rng: random.Random, person: Person) -> bytes:
        body = homework.mood(rng, person.patient, rng.choice(person.requests))
        event = body["identifier"][0]
        return stage.post("Observation", body, If_None_Exist=f"identifier={event['system']}|{event['value']}")

    return _fresh(stage, make)


async def _token(stage: Stage) -> Workload:
    return over([stage.place.token_request()])


TABLE = (
    Row("read", 0.45, _read),
    Row("vread", 0.5, _vread),
    Row("create Task", 1.1, _create_task),
    Row("create Observation", 1.1, _create_observation),
    Row("answer PHQ-9, scored", 4.0, _answer_phq9),
    Row("answer PHQ-9, risk told", 7.0, partial(_answer_phq9, at_risk=True)),
    Row("update Task, If-Match", 1.4, _update_task),
    Row("transaction of 7", 5.0, _transaction),
    Row("20 Tasks by status", 0.8, _tasks_by_status),
    Row("5 Observations by code", 0.6, _observations_by_code),
    Row("_include of 2 types", 1.1, _include),
    Row("page of 50, _total", 3.5, _population),
    Row("$everything of 100", 3.0, _everything),
    Row("metadata", 0.15, _metadata),
    Row("conditional create", 1.6, _conditional_create),
    Row("conditional create, 64", 1.6, _conditional_create, callers=64),
    Row("read as a patient", 0.55, persons.read_as_patient),
    Row("read as a practitioner", 0.55, persons.read_as_practitioner),
    Row("read as a relative", 0.55, persons.read_as_relative),
    Row("20 Tasks, practitioner", 0.9, persons.tasks_as_practitioner),
    Row("token by secret", 1.5, _token),
    Row("token by ES384", 2.5, persons.tokens_by_assertion),
)

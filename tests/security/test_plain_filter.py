"""Every way to a resource shows what a plain filter shows: no row, count, order or page differs, under random policies."""

import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from schemas import dates
from service import labels
from service.oauth.token import Access, mint
from tests.security.plain_filter import Filter, references
from tests.security.plain_world import PATIENTS, PRACTITIONERS, RELATED, World, made

POLICIES: Final = 14
TYPES: Final = (
    "Patient", "Practitioner", "Organization", "CareTeam", "Encounter", "Consent", "RelatedPerson", "Observation", "Task",
    "Communication", "Group", "Provenance", "Goal", "CarePlan", "Questionnaire", "QuestionnaireResponse",
)  # fmt: skip
CONSTRAINTS: Final = (
    "Observation.rs?category=survey", "Observation.r?code=a", "Observation.s?code=b&category=vital-signs",
    "Task.rs?status=ready", "Observation.rs?patient=Patient/p0", "*.rs", "*.rs", "*.rs", "*.r", "*.s", "Task.rs", "Patient.rs",
    "Observation.cruds", "Group.rs", "Provenance.rs", "Communication.s",
)  # fmt: skip


def policy(rng: random.Random) -> Access:
    """Somebody with some scopes, of a kind that tokens are issued with."""
    user = rng.choice([*PATIENTS[:3], *PRACTITIONERS, *PRACTITIONERS, *RELATED, None])
    if user is None:
        levels, patient = ["system"], None
    elif user.startswith("Patient/"):
        levels, patient = ["patient", "user"], user.partition("/")[2]
    else:
        levels, patient = ["patient", "user", "user"], rng.choice(PATIENTS).partition("/")[2]
    scopes = {f"{rng.choice(levels)}/{rng.choice(CONSTRAINTS)}" for _ in range(rng.choice((1, 1, 2, 3)))}
    clearance = tuple(rng.sample(["V", "HIV", "PSYTHPN", "SUD"], rng.choice((0, 0, 1, 2, 4))))
    return Access(
        "app",
        " ".join(sorted(scopes)),
        dates.clock() + timedelta(hours=1),
        fhir_user=user,
        patient=patient,
        reach=rng.choice(("care-team", "care-team", "encounter", "tenant")),
        clearance=clearance,
    )


class Compared:
    """One policy's answers against the filter's."""

    def __init__(self, world: World, access: Access, http: httpx.AsyncClient) -> None:
        self.world, self.http, self.filter = world, http, Filter(world, access)
        self.told = (
            f"scope {access.scope!r} user {access.fhir_user} patient {access.patient} {access.reach} {access.clearance}"
        )

    def visible(self, letter: str, *types: str) -> set[str]:
        """What the filter shows of these types."""
        found = self.world.current.items()
        return {name for name, each in found if each["resourceType"] in types and self.filter.sees(letter, each)}

    async def everywhere(self) -> None:
        """Every path there is."""
        await self.reads()
        await self.searches()
        await self.joins()
        await self.histories()
        await self.compartments()
        await self.batch()

    async def reads(self) -> None:
        for name, versions in self.world.versions.items():
            current, kind = self.world.current.get(name), name.partition("/")[0]
            seen = current is not None and self.filter.sees("r", current)
            hidden = 404 if self.filter.permits("r", kind) else 403
            answer = await self.http.get(name)
            if current is not None:
                assert answer.status_code == (200 if seen else hidden), self.why(name, answer)
                if seen and kind != "Group":
                    assert {**answer.json(), "meta": None} == {**current, "meta": None}, self.why(name, answer)
                past = await self.http.get(f"{name}/_history")
                assert past.status_code == (200 if seen else hidden), self.why(f"{name}/_history", past)
            else:
                assert answer.status_code in (hidden, 410), self.why(name, answer)
            for number, version in enumerate(versions, 1):
                if current is not None and version is not None:
                    one = await self.http.get(f"{name}/_history/{number}")
                    assert one.status_code == (200 if seen else hidden), self.why(f"{name}/_history/{number}", one)

    async def searches(self) -> None:
        for kind in TYPES:
            expected = self.visible("s", kind)
            if not self.filter.permits("s", kind):
                assert (await self.http.get(kind)).status_code == 403, self.why(kind)
                continue
            for query in (
                "_count=3",
                "_count=4&_sort=_lastUpdated",
                "_count=5&_sort=-_lastUpdated",
                "_count=2&_sort=_id",
            ):
                await self.pages(f"{kind}?{query}&_total=accurate", expected)
            counted = await self.http.get(f"{kind}?_summary=count")
            assert counted.json()["total"] == len(expected), self.why(f"{kind}?_summary=count", counted)
            posted = await self.http.post(f"{kind}/_search", data={"_count": "100"})
            assert names(posted.json()) == expected, self.why(f"POST {kind}/_search", posted)
        if all(self.filter.permits("s", kind) for kind in ("Observation", "Task", "Patient")):
            await self.pages(
                "?_type=Observation,Task,Patient&_count=7", self.visible("s", "Observation", "Task", "Patient")
            )
        await self.criteria()

    async def criteria(self) -> None:
        current = self.world.current
        for kind, query, holds in (
            ("Task", "status=ready", lambda each: each["status"] == "ready"),
            ("Task", "status:not=ready", lambda each: each["status"] != "ready"),
            ("Task", "owner:missing=true", lambda each: "owner" not in each),
            ("Observation", "subject:missing=false", lambda each: "subject" in each),
            ("Observation", "code=a&date=ge2026-04-01", _is_late_a),
            ("Observation", "patient=Patient/p1", lambda each: each.get("subject") == {"reference": "Patient/p1"}),
        ):
            expected = {name for name in self.visible("s", kind) if holds(current[name])}
            if self.filter.permits("s", kind):
                await self.pages(f"{kind}?{query}&_count=3&_total=accurate", expected)
        if self.filter.permits("s", "Observation"):
            await self.in_order("Observation?_sort=date&_count=3", lambda each: each["effectiveDateTime"])
            await self.in_order(
                "Observation?_sort=-date&_count=3", lambda each: each["effectiveDateTime"], backward=True
            )

    async def joins(self) -> None:
        found, people = self.visible("s", "Observation"), self.visible("s", "Patient")
        current = self.world.current
        if self.filter.permits("s", "Observation"):
            for number, patient in enumerate(PATIENTS):
                expected = {name for name in found if patient in people and refers(current[name], "subject", patient)}
                await self.pages(f"Observation?subject:Patient.family=Family{number}&_count=50", expected)
            shown = people | self.visible("r", "Patient")
            included = {each for name in found for each in references(current[name], "subject") if each in shown}
            await self.pages("Observation?_count=100&_include=Observation:subject", found, included)
        if self.filter.permits("s", "Patient"):
            for code in ("a", "b"):
                alike = [current[name] for name in found if current[name]["code"]["coding"][0]["code"] == code]
                expected = {name for name in people if any(refers(each, "subject", name) for each in alike)}
                await self.pages(f"Patient?_has:Observation:patient:code={code}", expected)
            reverse = {name for name in found if any(refers(current[name], "subject", each) for each in people)}
            await self.pages("Patient?_count=100&_revinclude=Observation:subject", people, reverse)
            # From the Patients to their Tasks and on to the heads of these.
            tasks = self.visible("s", "Task")
            near = {name for name in tasks if any(refers(current[name], "for", each) for each in people)}
            heads = {each for name in near for each in references(current[name], "partOf")}
            far = heads & (tasks | self.visible("r", "Task"))
            query = "Patient?_count=100&_revinclude=Task:patient&_include:iterate=Task:part-of"
            answer = await self.http.get(query)
            assert names(answer.json(), "include") - near - self._further(far) == set(), self.why(query, answer)
            assert names(answer.json(), "include") >= near | far, self.why(query, answer)

    def _further(self, names_: set[str]) -> set[str]:
        """These Tasks and, through what may be seen of them, what they are a part of."""
        seen, reached = self.visible("s", "Task") | self.visible("r", "Task"), set[str]()
        fresh = set(names_)
        while fresh:
            reached |= fresh
            fresh = {each for name in fresh for each in references(self.world.current[name], "partOf")} & seen - reached
        return reached

    async def histories(self) -> None:
        for kind in TYPES:
            if self.filter.permits("s", kind):
                answer = await self.http.get(f"{kind}/_history?_count=1000")
                told = {each["fullUrl"].partition("/fhir/")[2] for each in answer.json().get("entry", [])}
                gone = {name for name in self.world.versions if name not in self.world.current}
                assert told - gone == self.visible("s", kind), self.why(f"{kind}/_history", answer)
                self.require_no_hidden_content(answer, gone)
        if any(self.filter.permits("s", kind) for kind in TYPES):
            told, address = set[str](), "_history?_count=1000"
            while address:  # among many AuditEvents
                answer = await self.http.get(address)
                told |= {each["fullUrl"].partition("/fhir/")[2] for each in answer.json().get("entry", [])}
                address = next((each["url"] for each in answer.json()["link"] if each["relation"] == "next"), "")
            kept = {name for name in told if name.partition("/")[0] in TYPES and name in self.world.current}
            assert kept == self.visible("s", *TYPES), self.why("_history", answer)

    def require_no_hidden_content(self, answer: httpx.Response, gone: set[str]) -> None:
        """What was deleted shows no more than its last version would."""
        for entry in answer.json().get("entry", []):
            name = entry["fullUrl"].partition("/fhir/")[2]
            if name in gone and "resource" in entry:
                last = next(each for each in reversed(self.world.versions[name]) if each is not None)
                assert self.filter.sees("s", last), self.why(name, answer)

    async def compartments(self) -> None:
        for patient in PATIENTS:
            for kind in ("Observation", "Task", "Communication", "Group"):
                if self.filter.permits("s", kind):
                    # Who sees a part of a Group sees it in no other member's record.
                    is_hidden = kind == "Group" and self.filter.sees_parts() and not self.filter.is_theirs(patient)
                    inside = {
                        name for name in self.visible("s", kind) if self.is_inside(name, patient) and not is_hidden
                    }
                    answer = await self.http.get(f"{patient}/{kind}?_count=100")
                    if answer.status_code == 200:
                        assert names(answer.json()) == inside, self.why(f"{patient}/{kind}", answer)
                    else:
                        assert answer.status_code == 404, self.why(f"{patient}/{kind}", answer)
                        assert not inside, self.why(f"{patient}/{kind}", answer)
            answer = await self.http.get(f"{patient}/$everything?_count=1000")
            if not self.filter.permits("r", "Patient"):
                assert answer.status_code == 403, self.why(f"{patient}/$everything", answer)
            elif not self.filter.sees("r", self.world.current[patient]):
                assert answer.status_code == 404, self.why(f"{patient}/$everything", answer)
            else:
                shown = {name for name in names(answer.json()) if name in self.world.current}
                # A Group's members are others, so that it is no part of one's everything.
                kinds = [kind for kind in TYPES if kind != "Group"]
                inside = {name for name in self.visible("r", *kinds) if self.is_inside(name, patient)}
                assert shown == inside, f"{self.why(patient)}/$everything: {shown ^ inside}"

    def is_inside(self, name: str, patient: str) -> bool:
        """By R4's compartment, in which parts of Tasks are no rule."""
        return self.filter.in_record(self.world.current[name], patient, with_parts=False)

    async def batch(self) -> None:
        wanted = [name for name in self.world.current if name.partition("/")[0] in ("Observation", "Task", "Patient")][
            :20
        ]
        asked = [*wanted, "Observation?_count=100&_total=accurate", "Task?_summary=count"]
        entries = [{"request": {"method": "GET", "url": each}} for each in asked]
        answer = await self.http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
        assert answer.status_code == 200, answer.text
        got = [each["response"]["status"][:3] for each in answer.json()["entry"]]
        for name, status in zip(wanted, got, strict=False):
            seen = self.filter.sees("r", self.world.current[name])
            assert (status == "200") == seen, self.why(f"batch {name}: {status}")
        for kind, at in (("Observation", -2), ("Task", -1)):
            if self.filter.permits("s", kind):
                total = answer.json()["entry"][at]["resource"]["total"]
                assert total == len(self.visible("s", kind)), self.why(f"batch {kind}: {total}")
            else:
                assert got[at] == "403", self.why(f"batch {kind}: {got[at]}")

    async def pages(self, query: str, matches: set[str], included: Iterable[str] = ()) -> None:
        """From the first page to the last, each match comes once, and nothing else."""
        seen: list[str] = []
        others: set[str] = set()
        address: str | None = query
        while address is not None:
            answer = await self.http.get(address)
            assert answer.status_code == 200, self.why(address, answer)
            page = answer.json()
            seen += sorted(names(page))
            others |= names(page, "include")
            if "total" in page:
                assert page["total"] == len(matches), self.why(query, answer)
            address = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        assert sorted(seen) == sorted(matches), f"{self.why(query)}: {set(seen) ^ matches}"
        assert others == set(included), f"{self.why(query)}: {others ^ set(included)}"

    async def in_order(self, query: str, key: Callable[[dict[str, Any]], str], backward: bool = False) -> None:
        """The pages follow one another in the order asked for."""
        keys: list[str] = []
        address: str | None = query
        while address is not None:
            page = (await self.http.get(address)).json()
            keys += [key(each["resource"]) for each in page.get("entry", [])]
            address = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        wanted = sorted((key(self.world.current[name]) for name in self.visible("s", "Observation")), reverse=backward)
        assert keys == wanted, self.why(query)

    def why(self, path: str, answer: httpx.Response | None = None) -> str:
        """What to look into."""
        return f"{self.told}\n{path}" + ("" if answer is None else f" -> {answer.status_code} {answer.text[:300]}")


def _is_late_a(each: dict[str, Any]) -> bool:
    return each["code"]["coding"][0]["code"] == "a" and each["effectiveDateTime"] >= "2026-04-01"


def refers(resource: dict[str, Any], element: str, name: str) -> bool:
    return name in references(resource, element)


def names(bundle: dict[str, Any], mode: str = "match") -> set[str]:
    found = [each for each in bundle.get("entry", []) if each.get("search", {}).get("mode", "match") == mode]
    return {f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in found}


@asynccontextmanager
async def holding(house: Any, access: Access) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token that stands for `access`."""
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        token = await mint(connection, house.tenant_id, access, dates.clock())
    async with house.client(token) as http:
        yield http


async def furnish(house: Any, world: World) -> None:
    """Write the world, version by version, as who may write everything."""
    every = tuple(code for code in labels.HIDING if code != labels.CLIENT_ONLY)
    access = Access("system", "system/*.cruds", dates.clock() + timedelta(hours=1), clearance=every)
    async with holding(house, access) as http:
        for name, resource in world.steps:
            answer = await (http.delete(name) if resource is None else http.put(name, json=resource))
            assert answer.status_code in (200, 201, 204), f"{name}: {answer.text}"


async def compare(house: Any, seed: int, policies: int) -> None:
    world = made(seed)
    await furnish(house, world)
    rng = random.Random(f"policies of {seed}")  # noqa: S311 - made again by its seed
    for number in range(policies):
        access = policy(rng)
        async with holding(house, access) as http:
            try:
                await Compared(world, access, http).everywhere()
            except AssertionError as fault:
                raise AssertionError(f"seed {seed}, policy {number}: {fault}") from fault


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_way_shows_what_a_plain_filter_shows(house: Any, seed: int) -> None:
    await compare(house, seed, POLICIES)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(100, 120))
async def test_every_way_shows_what_a_plain_filter_shows_of_many_worlds(house: Any, seed: int) -> None:
    await compare(house, seed, 4 * POLICIES)

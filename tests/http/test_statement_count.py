"""How many statements each interaction sends, so that a hidden round trip shows on any machine.

A request is counted with everything around its interaction: the token's look-up, the audit, BEGIN and COMMIT. A figure that
rises here costs every user of that interaction; one that falls is to be written down.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

import httpx
import pytest
from asyncpg.connection import LoggedQuery

from api.app import Hearth, create_app
from schemas import library

Json = dict[str, Any]
SENT: ContextVar[list[str] | None] = ContextVar("SENT", default=None)
"""Where the statements of the request under way are noted. What runs beside it, such as shipping audits, has none."""
SYSTEM: Final = "https://example.org/mrn"


def note(query: LoggedQuery) -> None:
    sent = SENT.get()
    if sent is not None:
        sent.append(query.query)


@pytest.fixture(scope="module")
async def app(hearth: Hearth, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hearth]:
    """An application with one connection, whose statements are noted."""
    settings = hearth.engine.settings.model_copy(
        update={"data_dir": tmp_path_factory.mktemp("counted"), "pool_max": 1, "tenant_concurrency": 1}
    )
    made: Hearth = create_app(settings)
    async with made.engine.database.connection(0) as connection:
        connection.add_query_logger(note)
    await made.engine.start()
    yield made
    await made.engine.stop()


@pytest.fixture(scope="module")
async def api(app: Hearth, new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the counted application, of a tenant that holds the PHQ-9, whose caches are warm."""
    house = await new_house()
    headers = {"Authorization": f"Bearer {await house.token()}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=house.base + "/", headers=headers) as http:
        assert (await http.post("Questionnaire", json=phq9())).status_code == 201
        for name in ("p", "q"):
            assert (await http.put(f"Patient/{name}", json=patient(name, active=True))).status_code == 201
            assert (await http.post("Task", json=TASK)).status_code == 201
        assert (await http.post("QuestionnaireResponse", json=response())).status_code == 201  # the policy is known now
        yield http


async def counted(request: Awaitable[httpx.Response], status: int = 200) -> list[str]:
    """The statements that a request sends."""
    sent: list[str] = []
    mark = SENT.set(sent)
    answer = await request
    SENT.reset(mark)
    assert answer.status_code == status, answer.text
    await asyncio.sleep(0)  # the driver tells of a statement in the loop's next turn
    return sent


def patient(name: str, **members: Any) -> Json:
    return {"resourceType": "Patient", "id": name, "identifier": [{"system": SYSTEM, "value": name}]} | members


def phq9() -> Json:
    """The seeded Questionnaire."""
    url = "https://hearth.health/fhir/Questionnaire/phq-9"
    return next(each for each in library.seed() if each["resourceType"] == "Questionnaire" and each["url"] == url)


def response(ninth: str = "LA6568-5", **members: Any) -> Json:
    """A completed PHQ-9."""
    coding = {"system": "http://loinc.org", "code": "LA6569-3", "display": "Several days"}
    last = {"system": "http://loinc.org", "code": ninth}
    asked = [each["linkId"] for each in phq9()["item"] if each["type"] == "choice"]
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": phq9()["url"],
        "subject": {"reference": "Patient/p"},
        "authored": "2026-11-25T03:00:00Z",
        "item": [{"linkId": each, "answer": [{"valueCoding": coding}]} for each in asked[:8]]
        + [{"linkId": asked[8], "answer": [{"valueCoding": last}]}],
    } | members


def bundle(*entries: tuple[str, str, Json | None]) -> Json:
    made = [
        {"request": {"method": method, "url": url}} | ({} if body is None else {"resource": body})
        for method, url, body in entries
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": made}


def assignment() -> Json:
    """Seven creates that refer to each other, as a therapist's app sends them."""
    plan, request = "urn:uuid:1b4e28ba-2fa1-41d2-883f-0016d3cca427", "urn:uuid:2b4e28ba-2fa1-41d2-883f-0016d3cca427"
    subject = {"subject": {"reference": "Patient/p"}}
    order = {"status": "active", "intent": "order"} | subject
    task = {"resourceType": "Task", "status": "requested", "intent": "order", "basedOn": [{"reference": request}]}
    bodies: list[Json] = [
        {"resourceType": "CarePlan", "status": "active", "intent": "plan"} | subject,
        {"resourceType": "ServiceRequest", "code": {"text": "walk"}, "basedOn": [{"reference": plan}]} | order,
        *[task | {"for": {"reference": "Patient/p"}, "description": str(day)} for day in range(3)],
        {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}} | subject,
        {"resourceType": "Communication", "status": "completed"} | subject,
    ]
    made = bundle(*(("POST", body["resourceType"], body) for body in bodies))
    made["entry"][0]["fullUrl"], made["entry"][1]["fullUrl"] = plan, request
    return made


IF_NONE_EXIST: Final = {"If-None-Exist": f"identifier={SYSTEM}|condition"}
MERGE: Final = {"Content-Type": "application/merge-patch+json"}
TASK: Final = {"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": "Patient/p"}}

# What each of them is: 1 the token's look-up, in a transaction 2 more for BEGIN and COMMIT, then:
CASES: Final[list[tuple[str, int, int, str, str, Json]]] = [
    # name, status, statements, method, address, what else is sent
    # A read proves its token in its own statement; where that finds nothing the token is asked for after it.
    ("read", 200, 1, "GET", "Patient/p", {}),
    ("read of what is not there", 404, 2, "GET", "Patient/nobody", {}),
    ("vread", 200, 1, "GET", "Patient/p/_history/1", {}),
    ("history of a resource", 200, 1, "GET", "Patient/p/_history", {}),
    ("history of a type", 200, 1, "GET", "Patient/_history", {}),
    ("history of the system", 200, 1, "GET", "_history", {}),
    ("create", 201, 2, "POST", "Task", {"json": TASK}),
    ("create that is not valid", 400, 1, "POST", "Task", {"json": {"resourceType": "Task"}}),
    ("update", 200, 3, "PUT", "Patient/p", {"json": patient("p", gender="other")}),
    ("update with If-Match", 200, 3, "PUT", "Patient/p", {"json": patient("p"), "headers": {"If-Match": "*"}}),
    ("update that changes nothing", 200, 2, "PUT", "Patient/p", {"json": patient("p")}),
    ("create by update", 201, 3, "PUT", "Patient/new", {"json": patient("new")}),
    ("patch", 200, 3, "PATCH", "Patient/new", {"content": b'{"active":true}', "headers": MERGE}),
    ("delete", 204, 3, "DELETE", "Patient/new", {}),
    ("delete again", 204, 2, "DELETE", "Patient/new", {}),
    # the lock of the condition, the search, the insert
    ("conditional create", 201, 6, "POST", "Patient", {"json": patient("condition"), "headers": IF_NONE_EXIST}),
    ("conditional create again", 200, 5, "POST", "Patient", {"json": patient("condition"), "headers": IF_NONE_EXIST}),
    # the search, the version to be changed, the change
    ("conditional delete", 204, 4, "DELETE", f"Patient?identifier={SYSTEM}|condition", {}),
    ("search", 200, 1, "GET", "Task?patient=Patient/p&status=requested&_count=20", {}),
    ("search by POST", 200, 1, "POST", "Task/_search", {"data": {"patient": "Patient/p"}}),
    ("search with includes", 200, 1, "GET", "Task?patient=Patient/p&_include=Task:patient&_revinclude=Task:part-of", {}),
    ("search with chain", 200, 2, "GET", "Task?patient.gender=female", {}),
    ("search with total of one page", 200, 1, "GET", "Task?patient=Patient/p&_total=accurate", {}),
    ("search with total of many pages", 200, 2, "GET", "Task?patient=Patient/p&_total=accurate&_count=1", {}),
    ("$everything", 200, 1, "GET", "Patient/p/$everything", {}),
    ("$validate", 200, 1, "POST", "Patient/$validate", {"json": patient("x")}),
    ("$meta", 200, 1, "GET", "Patient/p/$meta", {}),
    # one insert for all
    ("transaction of seven creates", 200, 4, "POST", "", {"json": assignment()}),
    # two reads, one insert, two changes in a savepoint, one read
    (
        "transaction of other writes", 200, 11, "POST", "",
        {"json": bundle(("PUT", "Patient/p", patient("p", active=False)), ("POST", "Task", TASK),
                        ("DELETE", "Patient/q", None), ("GET", "Patient/p", None))},
    ),
    # the Questionnaire, the Tasks that may be answered, one insert for answer, results and Provenance
    ("PHQ-9 response", 201, 4, "POST", "QuestionnaireResponse", {"json": response()}),
    # besides, who assigned it, whose care the client is in, and which language they read
    ("PHQ-9 response that tells of risk", 201, 7, "POST", "QuestionnaireResponse", {"json": response("LA6569-3")}),
    ("response without Questionnaire", 201, 2, "POST", "QuestionnaireResponse",
     {"json": {"resourceType": "QuestionnaireResponse", "status": "completed"}}),
    # the key, the insert, the answer under the key
    ("create under a key", 201, 6, "POST", "Task", {"json": TASK, "headers": {"Idempotency-Key": "k"}}),
    ("create under a key again", 201, 5, "POST", "Task", {"json": TASK, "headers": {"Idempotency-Key": "k"}}),
    ("capabilities", 200, 0, "GET", "metadata", {}),
]  # fmt: skip


async def test_sends_no_more_statements_than_it_needs(api: httpx.AsyncClient) -> None:
    found = {}
    for name, status, _, method, address, sent in CASES:
        found[name] = await counted(api.request(method, address, **sent), status)
    assert {name: len(sent) for name, sent in found.items()} == {name: number for name, _, number, *_ in CASES}


async def test_a_batch_costs_what_its_entries_cost_but_one_token(api: httpx.AsyncClient) -> None:
    body = bundle(("POST", "Task", TASK), ("GET", "Patient/p", None), ("GET", "Task?patient=Patient/p", None))
    assert len(await counted(api.post("", json=body | {"type": "batch"}))) == 4


@pytest.mark.parametrize("entries", [10, 100])
async def test_creates_in_a_transaction_share_statements(api: httpx.AsyncClient, entries: int) -> None:
    found = await counted(api.post("", json=bundle(*[("POST", "Task", TASK)] * entries)))
    assert len(found) == 3 + -(-2 * entries // 32)

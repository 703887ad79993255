"""Two tenants with the same ids in them, and one example of every interaction, for tests that refuse."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import util
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api.app import Hearth, create_app

EXAMPLES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "cases" / "security" / "interactions.json").read_text()
)
FHIR: Final = "application/fhir+json"
MARK: Final = "Quillfeather"
"""The family name of everybody in the other tenant: where it turns up, something came through."""


@pytest.fixture(scope="session")
def examples() -> list[dict[str, Any]]:
    return EXAMPLES


@pytest.fixture(scope="session")
def ask() -> Callable[..., Awaitable[httpx.Response]]:
    """Sends an example by a client."""

    async def sent(http: httpx.AsyncClient, example: dict[str, Any], **headers: str) -> httpx.Response:
        method, _, path = example["send"].partition(" ")
        content, media_type = None, ""
        if "form" in example:
            content, media_type = example["form"], "application/x-www-form-urlencoded"
        elif "patch" in example:
            content, media_type = json.dumps(example["patch"]), "application/json-patch+json"
        elif "body" in example:
            content, media_type = json.dumps(example["body"]), FHIR
        given = example.get("headers", {}) | ({"Content-Type": media_type} if content else {}) | headers
        return await http.request(method, path, content=content, headers=given)

    return sent


def patient(name: str, number: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": name,
        "identifier": [{"system": "urn:x", "value": number}],
        "name": [{"family": MARK}],
    }


def observation(name: str, subject: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "urn:y", "code": "z"}]},
        "subject": {"reference": subject},
        "note": [{"text": MARK}],
    }


async def furnish(http: httpx.AsyncClient) -> None:
    """Two Patients, of which `pat` has an Observation, each in two versions, and one of whom is on a List."""
    for name, number in (("pat", "0"), ("other", "1")):
        assert (await http.put(f"Patient/{name}", json=patient(name, number))).status_code == 201
        assert (await http.put(f"Patient/{name}", json=patient(name, number) | {"gender": "other"})).status_code == 200
    assert (await http.put("Observation/obs", json=observation("obs", "Patient/pat"))).status_code == 201
    whose = {"subject": {"reference": "Patient/pat"}}
    answers = {"resourceType": "QuestionnaireResponse", "id": "qr", "status": "completed", **whose}
    memo = {"attachment": {"title": "memo"}}
    job = {"resourceType": "Task", "id": "job", "status": "ready", "intent": "order", "for": whose["subject"]}
    act = {"resourceType": "ActivityDefinition", "id": "act", "url": "urn:act", "status": "active", "title": MARK}
    plan = {"resourceType": "PlanDefinition", "id": "plan", "url": "urn:plan", "status": "active", "title": MARK}
    form = {"resourceType": "Questionnaire", "id": "form", "url": "urn:form", "status": "active", "title": MARK}
    document = {"resourceType": "DocumentReference", "id": "doc", "status": "current", "content": [memo], **whose}
    for each in (answers, document, job, act, plan, form):
        assert (await http.put(f"{each['resourceType']}/{each['id']}", json=each)).status_code == 201
    listed = {
        "resourceType": "List", "id": "lst", "status": "current", "mode": "working",
        "entry": [{"item": {"reference": "Patient/pat"}}],
    }  # fmt: skip
    assert (await http.put("List/lst", json=listed)).status_code == 201


@pytest.fixture
async def furnished(house: Any) -> Any:
    """A tenant of the test's own that may be changed."""
    async with house.client(await house.token()) as http:
        await furnish(http)
    return house


@pytest.fixture(scope="session")
async def elsewhere(new_house: Callable[[], Awaitable[Any]]) -> Any:
    """The other tenant, furnished alike; nobody changes it."""
    house = await new_house()
    async with house.client(await house.token()) as http:
        await furnish(http)
    return house


@pytest.fixture(scope="session")
async def second(hearth: Hearth, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hearth]:
    """Another worker on the same database."""
    settings = hearth.engine.settings.model_copy(
        update={"audit_spool_dir": tmp_path_factory.mktemp("spool"), "pool_max": 2, "tenant_concurrency": 2}
    )
    app = create_app(settings)
    await app.engine.start()
    yield app
    await app.engine.stop()


def _beside(name: str) -> Any:
    """A module of this folder that is no test."""
    spec = util.spec_from_file_location(f"security_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = module = util.module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


flows: Final = _beside("flows")
people: Final = _beside("people")
provider: Final = _beside("provider")


@pytest.fixture
async def stage(house: Any) -> AsyncIterator[Any]:
    """Apps and people of `house`, and a browser (flows.Stage)."""
    async with house.client() as http:
        yield flows.Stage(house, http)


@pytest.fixture
def office(house: Any, api: httpx.AsyncClient) -> Any:
    """People with accounts in `house` (people.Office)."""
    return people.Office(house, api)


@pytest.fixture
def other() -> Iterator[Any]:
    """Another OpenID provider that can be told to do wrong (provider.Provider)."""
    running = provider.Provider()
    yield running
    running.close()

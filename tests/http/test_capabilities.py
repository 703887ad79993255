"""capabilities: the CapabilityStatement, and that it is true. https://hl7.org/fhir/R4/http.html#capabilities"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from schemas.registry import REGISTRY
from service.interactions import operations

Json = dict[str, Any]
HELD = [each.name for each in REGISTRY.types.values() if each.storable]


@pytest.fixture(scope="module")
async def api(new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one tenant without resources."""
    house = await new_house()
    async with house.client(await house.token()) as http:
        yield http


@pytest.fixture(scope="module")
async def rest(api: httpx.AsyncClient) -> Json:
    """The `rest` of the statement."""
    (found,) = (await api.get("metadata")).json()["rest"]
    return dict(found)


def resource(rest: Json, name: str) -> Json:
    return next(dict(each) for each in rest["resource"] if each["type"] == name)


@pytest.mark.parametrize("mode", ["terminology", "nonsense"])
async def test_refuses_modes_that_are_not_served(api: httpx.AsyncClient, mode: str) -> None:
    answer = await api.get(f"metadata?mode={mode}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "not-supported"


async def test_refuses_other_methods_and_media_types(api: httpx.AsyncClient) -> None:
    assert (await api.post("metadata", json={})).status_code == 405
    assert (await api.get("metadata", headers={"Accept": "application/fhir+xml"})).status_code == 406


async def test_refuses_a_tenant_that_there_is_not(house: Any) -> None:
    async with house.client() as nobody:
        assert (await nobody.get("http://hearth.test/t/nobody/fhir/metadata")).status_code == 404


@pytest.mark.parametrize("query", ["", "?mode=full", "?mode=normative", "?_format=json", "?_pretty=true"])
async def test_answers_without_a_token(house: Any, query: str) -> None:
    async with house.client() as nobody:
        answer = await nobody.get(f"metadata{query}")
    assert answer.status_code == 200
    assert answer.json()["fhirVersion"] == "4.0.1"
    assert answer.json()["implementation"]["url"] == house.base


async def test_is_a_capability_statement_in_another_implementation_s_eyes(api: httpx.AsyncClient) -> None:
    CapabilityStatement.model_validate_json((await api.get("metadata")).content)


async def test_names_every_type_that_is_held_and_no_other(rest: Json) -> None:
    assert sorted(each["type"] for each in rest["resource"]) == sorted(HELD)


async def test_says_where_tokens_are_given(api: httpx.AsyncClient, rest: Json) -> None:
    uris = {each["url"]: each["valueUri"] for each in rest["security"]["extension"][0]["extension"]}
    assert (await api.post(uris["token"], data={})).status_code in (400, 401)
    assert uris["token"].startswith("http://hearth.test/t/")


@pytest.mark.parametrize("name", HELD)
async def test_every_interaction_that_it_names_can_be_asked_for(api: httpx.AsyncClient, rest: Json, name: str) -> None:
    requests = {
        "read": ("GET", f"{name}/none"),
        "vread": ("GET", f"{name}/none/_history/1"),
        "update": ("PUT", f"{name}/none"),
        "patch": ("PATCH", f"{name}/none"),
        "delete": ("DELETE", f"{name}/none"),
        "create": ("POST", name),
        "search-type": ("GET", name),
        "history-type": ("GET", f"{name}/_history"),
        "history-instance": ("GET", f"{name}/none/_history"),
    }
    said = {each["code"] for each in resource(rest, name)["interaction"]}
    for code, (method, address) in requests.items():
        answer = await api.request(method, address)
        assert (answer.status_code != 405) == (code in said), (code, answer.text)
        assert answer.status_code in (200, 400, 404, 405, 415)


@pytest.mark.parametrize("name", HELD)
async def test_every_search_parameter_that_it_names_can_be_asked_for(
    api: httpx.AsyncClient, rest: Json, name: str
) -> None:
    codes = [each["name"] for each in resource(rest, name)["searchParam"]]
    assert sorted(codes) == sorted(REGISTRY.types[name].search)
    query = "&".join(f"{code}:missing=true" for code in codes if not code.startswith("_"))
    answer = await api.get(f"{name}?{query}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", HELD)
async def test_every_include_that_it_names_can_be_asked_for(api: httpx.AsyncClient, rest: Json, name: str) -> None:
    said = resource(rest, name)
    for parameter, member in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
        for text in said.get(member, [])[:6]:
            answer = await api.get(name, params={parameter: text, "_count": "1"})
            assert answer.status_code == 200, (text, answer.text)


@pytest.mark.parametrize("name", HELD)
async def test_every_operation_that_it_names_can_be_asked_for(api: httpx.AsyncClient, rest: Json, name: str) -> None:
    said = {each["name"] for each in resource(rest, name)["operation"]}
    further = {each.name for each in operations.at(name)}
    assert said == {"validate", "meta"} | ({"everything"} if name == "Patient" else set()) | further
    assert (await api.post(f"{name}/$validate", json={"resourceType": name})).status_code == 200
    assert (await api.get(f"{name}/none/$meta")).status_code == 404


async def test_what_it_says_of_conditions_is_true_of_final_types(api: httpx.AsyncClient, rest: Json) -> None:
    event, patient = resource(rest, "AuditEvent"), resource(rest, "Patient")
    assert (event["conditionalUpdate"], event["conditionalDelete"], event["updateCreate"]) == (
        False,
        "not-supported",
        False,
    )
    assert (patient["conditionalUpdate"], patient["conditionalDelete"], patient["updateCreate"]) == (
        True,
        "single",
        True,
    )
    assert (await api.put("AuditEvent?_id=x", json={"resourceType": "AuditEvent"})).status_code == 405
    assert (await api.delete("AuditEvent?_id=x")).status_code == 405


async def test_every_compartment_that_it_names_can_be_searched(api: httpx.AsyncClient, rest: Json) -> None:
    for url in rest["compartment"]:
        kind = next(name for name in REGISTRY.names if name.lower() == url.rpartition("/")[2])
        inside = next(each.name for each in REGISTRY.types.values() if each.storable and kind in each.compartments)
        assert (await api.get(f"{kind}/none/{inside}")).status_code == 200


async def test_system_interactions_that_it_names_can_be_asked_for(api: httpx.AsyncClient, rest: Json) -> None:
    assert {each["code"] for each in rest["interaction"]} == {"transaction", "batch", "search-system", "history-system"}
    for kind in ("transaction", "batch"):
        assert (await api.post("", json={"resourceType": "Bundle", "type": kind})).status_code == 200
    assert (await api.get("_history")).status_code == 200
    assert (await api.get("?_type=Patient")).status_code == 200

"""patch: JSON Patch, FHIRPath Patch and merge patch. https://hl7.org/fhir/R4/http.html#patch"""

import json
from typing import Any, Final

import httpx
import pytest

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
FHIR: Final = "application/fhir+json"
ADD_FAMILY: Final[dict[str, tuple[str, Any]]] = {
    "JSON Patch": (JSON_PATCH, [{"op": "replace", "path": "/name/0/family", "value": "Ilves"}]),
    "merge patch": (MERGE_PATCH, {"name": [{"family": "Ilves"}]}),
    "FHIRPath Patch": (
        FHIR,
        {
            "resourceType": "Parameters",
            "parameter": [
                {
                    "name": "operation",
                    "part": [
                        {"name": "type", "valueCode": "replace"},
                        {"name": "path", "valueString": "Patient.name[0].family"},
                        {"name": "value", "valueString": "Ilves"},
                    ],
                }
            ],
        },
    ),
}


@pytest.fixture(autouse=True)
async def patient(api: httpx.AsyncClient) -> None:
    """`Patient/p`, version 1."""
    body = {"resourceType": "Patient", "id": "p", "active": True, "name": [{"family": "Okafor"}]}
    await api.put("Patient/p", json=body)


async def patched(
    api: httpx.AsyncClient, body: Any, kind: str = JSON_PATCH, address: str = "Patient/p", **headers: str
) -> httpx.Response:
    sent = {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.patch(address, content=json.dumps(body).encode(), headers=sent)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/octet-stream"])
async def test_refuses_other_forms_and_names_its_own(api: httpx.AsyncClient, kind: str) -> None:
    answer = await patched(api, [], kind)
    assert answer.status_code == 415
    assert JSON_PATCH in answer.headers["accept-patch"]


async def test_refuses_a_patch_without_a_body(api: httpx.AsyncClient) -> None:
    assert (await api.patch("Patient/p")).status_code == 415


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON_PATCH, {"op": "add"}),
        (JSON_PATCH, [{"op": "append", "path": "/active", "value": True}]),
        (JSON_PATCH, [{"op": "add", "path": "active", "value": True}]),
        (JSON_PATCH, [{"op": "add", "path": "/active"}]),
        (MERGE_PATCH, [1]),
        (FHIR, {"resourceType": "Patient", "active": False}),
    ],
)
async def test_refuses_what_is_no_patch(api: httpx.AsyncClient, kind: str, body: Any) -> None:
    answer = await patched(api, body, kind)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "patch-malformed"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/gender"},
        {"op": "replace", "path": "/name/3/family", "value": "x"},
        {"op": "test", "path": "/active", "value": False},
    ],
)
async def test_refuses_a_patch_that_does_not_fit_and_changes_nothing(
    api: httpx.AsyncClient, operation: dict[str, Any]
) -> None:
    answer = await patched(api, [{"op": "add", "path": "/birthDate", "value": "2001"}, operation])
    assert answer.status_code == 422
    assert "Operation 1" in answer.json()["issue"][0]["diagnostics"]
    assert "birthDate" not in (await api.get("Patient/p")).json()


async def test_refuses_a_result_that_is_not_valid(api: httpx.AsyncClient) -> None:
    answer = await patched(api, [{"op": "add", "path": "/gender", "value": "unsure"}])
    assert answer.status_code in (400, 422)
    assert answer.json()["issue"][0]["expression"] == ["Patient.gender"]
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize(("path", "value"), [("/id", "q"), ("/resourceType", "Person")])
async def test_refuses_to_change_what_the_resource_is(api: httpx.AsyncClient, path: str, value: str) -> None:
    answer = await patched(api, [{"op": "replace", "path": path, "value": value}])
    assert answer.status_code == 422
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"


async def test_refuses_a_stale_version(api: httpx.AsyncClient) -> None:
    await patched(api, [{"op": "replace", "path": "/active", "value": False}])
    answer = await patched(api, [{"op": "replace", "path": "/active", "value": True}], If_Match='W/"1"')
    assert answer.status_code == 412


async def test_refuses_resources_that_are_not_there(api: httpx.AsyncClient) -> None:
    change = [{"op": "add", "path": "/active", "value": True}]
    assert (await patched(api, change, address="Patient/nobody")).status_code == 404
    await api.delete("Patient/p")
    assert (await patched(api, change)).status_code == 410


async def test_refuses_to_patch_an_audit_event(api: httpx.AsyncClient) -> None:
    event = (await api.get("AuditEvent/_history")).json()["entry"][0]["resource"]
    answer = await patched(api, [{"op": "remove", "path": "/outcome"}], address=f"AuditEvent/{event['id']}")
    assert answer.status_code == 405


@pytest.mark.parametrize("form", ADD_FAMILY)
async def test_applies_each_form(api: httpx.AsyncClient, form: str) -> None:
    kind, body = ADD_FAMILY[form]
    answer = await patched(api, body, kind, If_Match='W/"1"')
    assert answer.status_code == 200
    assert answer.json()["name"] == [{"family": "Ilves"}]
    assert answer.headers["etag"] == 'W/"2"'
    assert (await api.get("Patient/p")).content == answer.content


@pytest.mark.parametrize("form", ADD_FAMILY)
async def test_knows_each_form_by_its_shape_when_sent_as_plain_json(api: httpx.AsyncClient, form: str) -> None:
    answer = await patched(api, ADD_FAMILY[form][1], "application/json")
    assert answer.status_code == 200
    assert answer.json()["name"] == [{"family": "Ilves"}]


async def test_leaves_every_other_byte_as_it_was(api: httpx.AsyncClient) -> None:
    start = b'{"resourceType":"Observation","id":"o"'
    rest = b'"status":"final","code":{"text":"\xc3\xa9"},"valueQuantity":{"unit":"kg","value":1.50E2}}'
    await api.put("Observation/o", content=start + b"," + rest, headers={"Content-Type": FHIR})
    await patched(api, [{"op": "add", "path": "/note", "value": [{"text": "n"}]}], address="Observation/o")
    await patched(api, [{"op": "remove", "path": "/note"}], address="Observation/o")
    assert (await api.get("Observation/o")).content.endswith(rest)


async def test_a_patch_is_searchable_at_once(api: httpx.AsyncClient) -> None:
    await patched(api, [{"op": "replace", "path": "/name/0/family", "value": "Ilves"}])
    assert (await api.get("Patient?family=ilves&_total=accurate")).json()["total"] == 1
    assert (await api.get("Patient?family=okafor&_total=accurate")).json()["total"] == 0

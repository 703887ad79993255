"""What is labelled beyond the caller's clearance is not there: not read, found, counted, included, nor told of in history."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service import labels
from service.oauth import clients
from service.oauth.metadata import NewClient
from tests.security.circles import Clinic, consent, found, labelled, observation, permit, to

MUM, THERA, ANN = "RelatedPerson/mum", "Practitioner/thera", "Patient/ann"
NEED_CLEARANCE = sorted(set(labels.HIDING) - {labels.CLIENT_ONLY, labels.STAFF_ONLY})


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(consent("Patient/ann", permit(MUM), name="c"))
    yield made
    await made.close()


async def cleared(clinic: Clinic, *codes: str, scope: str = "system/*.cruds") -> httpx.AsyncClient:
    """A system client with this clearance."""
    return await clinic.as_person(None, scope, clearance=codes, reach="")


async def put(http: httpx.AsyncClient, body: dict[str, Any]) -> int:
    return (await http.put(f"{body['resourceType']}/{body['id']}", json=body)).status_code


@pytest.mark.parametrize("code", NEED_CLEARANCE)
async def test_a_label_hides_from_who_is_not_cleared(clinic: Clinic, code: str) -> None:
    assert await put(await cleared(clinic, code), observation(ANN, "secret", **labelled(code, "BH"))) == 201
    shown = {
        "system": False, "cleared system": True, "practitioner": False, "cleared practitioner": True, "relative": False,
        "patient": code not in labels.HIDDEN_FROM_OWN,
    }  # fmt: skip
    clients = {
        "system": clinic.system,
        "cleared system": await cleared(clinic, code),
        "practitioner": await clinic.as_person(THERA, "user/*.rs"),
        "cleared practitioner": await clinic.as_person(THERA, "user/*.rs", clearance=(code,)),
        "relative": await clinic.as_person(MUM, "user/*.rs"),
        "patient": await clinic.as_person(ANN, "user/*.rs", clearance=(code,)),
    }
    for who, http in clients.items():
        assert ((await http.get("Observation/secret")).status_code == 200) is shown[who], who
        assert ("Observation/secret" in await found(http, "Observation")) is shown[who], who
        total = (await http.get("Observation?_summary=count&patient=ann")).json()["total"]
        assert total == (2 if shown[who] else 1), who


async def test_what_is_among_professionals_is_hidden_from_clients_and_who_acts_for_them(clinic: Clinic) -> None:
    draft = {
        "resourceType": "Task", "id": "secret", "status": "draft", "intent": "order",
        "for": {"reference": ANN}, "owner": {"reference": ANN},
    }  # fmt: skip
    review = draft | {"id": "review", "status": "requested", **labelled(labels.STAFF_ONLY)}
    await clinic.put(draft, review)
    for user, scope in ((ANN, "user/*.rs"), (MUM, "user/*.rs"), (ANN, "patient/*.rs")):
        http = await clinic.as_person(user, scope, patient="ann", clearance=tuple(labels.HIDING))
        for name in ("secret", "review"):
            assert (await http.get(f"Task/{name}")).status_code == 404, user
        assert await found(http, "Task") == []
    for http in (clinic.system, await clinic.as_person(THERA, "user/*.rs")):
        assert await found(http, "Task") == ["Task/review", "Task/secret"]
    # Published, it is the client's; a deletion of what was in preparation stays hidden.
    ann = await clinic.as_person(ANN, "patient/*.rs", patient="ann")
    await clinic.put(draft | {"status": "ready"})
    assert (await ann.get("Task/secret")).status_code == 200
    await clinic.put(draft | {"id": "gone"})
    assert (await clinic.system.delete("Task/gone")).status_code == 204
    assert (await ann.get("Task/gone")).status_code == 404


@pytest.mark.parametrize("code", ["U", "L", "M", "N", "R", "BH", "MH", "PSY", "COGN", "anything"])
async def test_other_labels_hide_nothing(clinic: Clinic, code: str) -> None:
    await clinic.put(observation(ANN, "plain", **labelled(code)))
    assert await found(await clinic.as_person(THERA, "user/*.rs"), "Observation?_id=plain") == ["Observation/plain"]


async def test_hidden_is_hidden_on_every_way(clinic: Clinic) -> None:
    all_clear = await cleared(clinic, "V")
    assert await put(all_clear, observation(ANN, "secret", **labelled("V"))) == 201
    await clinic.put(observation(ANN, "refers", hasMember=[to("Observation/secret")]))
    for http in (clinic.system, await clinic.as_person(THERA, "user/*.cruds")):
        for address in ("", "/_history", "/_history/1", "/$meta", "/$validate"):
            answer = await http.request("POST" if "validate" in address else "GET", f"Observation/secret{address}")
            assert answer.status_code == 404, address
        for query in ("Observation?_id=secret", "Observation?_security=V", "Patient/ann/Observation?_id=secret",
                      "Observation?has-member:Observation.status=final", "?_type=Observation&_id=secret",
                      "Observation?_has:Observation:has-member:_id=secret"):  # fmt: skip
            assert await found(http, query) == [], query
        assert await found(http, "Observation?_id=refers&_include=Observation:has-member") == ["Observation/refers"]
        for wide in ("Patient/ann/$everything", "_history", "Observation/_history", "Observation?_sort=_lastUpdated"):
            assert "Observation/secret" not in await found(http, wide), wide
        batch = {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"request": {"method": "GET", "url": "Observation/secret"}}],
        }
        assert (await http.post("", json=batch)).json()["entry"][0]["response"]["status"].startswith("404")
        # An id that is taken by what is hidden is not there, and cannot be taken.
        assert await put(http, observation(ANN, "secret")) == 404
        assert (await http.delete("Observation/secret")).status_code == 404
    assert (await all_clear.get("Observation/secret")).status_code == 200


async def test_labels_are_taken_from_any_spelling_of_their_system(clinic: Clinic) -> None:
    http = await cleared(clinic, "HIV")
    for at, system in enumerate((*labels.ACT_CODE[:-1], None)):
        coding = {"code": "HIV"} | ({"system": system} if system else {})
        assert await put(http, observation(ANN, f"o{at}", meta={"security": [coding]})) == 201
    await clinic.put(observation(ANN, "another", meta={"security": [{"system": "urn:own", "code": "HIV"}]}))
    thera = await clinic.as_person(THERA, "user/*.rs")
    assert await found(thera, "Observation") == ["Observation/another", "Observation/obs-ann"]


async def test_what_one_is_not_cleared_for_cannot_be_written(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds")
    for http in (clinic.system, thera):
        for code in ("V", "PSYTHPN", "client-only"):
            assert (await http.post("Observation", json=observation(ANN, **labelled(code)))).status_code == 403
            assert await put(http, observation(ANN, "obs-ann", **labelled(code))) == 403
            patch = [{"op": "add", "path": "/meta/security", "value": labelled(code)["meta"]["security"]}]
            headers = {"Content-Type": "application/json-patch+json"}
            assert (await http.patch("Observation/obs-ann", json=patch, headers=headers)).status_code == 403
    assert (await clinic.system.get("Observation/obs-ann")).headers["etag"] == 'W/"1"'


async def test_a_resource_is_as_hidden_as_its_current_version(clinic: Clinic) -> None:
    http = await cleared(clinic, "V")
    await clinic.put(observation(ANN, "o"))
    assert await put(http, observation(ANN, "o", **labelled("V"))) == 200
    assert (await clinic.system.get("Observation/o/_history/1")).status_code == 404
    assert "Observation/o" not in await found(clinic.system, "_history")
    assert await put(http, observation(ANN, "o")) == 200
    assert (await clinic.system.get("Observation/o/_history/2")).status_code == 200


async def test_what_was_hidden_stays_so_when_it_is_deleted(clinic: Clinic) -> None:
    http = await cleared(clinic, "V")
    assert await put(http, observation(ANN, "o", **labelled("V"))) == 201
    assert (await http.delete("Observation/o")).status_code == 204
    for path in ("", "/_history", "/_history/1", "/_history/2"):
        assert (await clinic.system.get(f"Observation/o{path}")).status_code == 404, path
        assert (await http.get(f"Observation/o{path}")).status_code in (200, 410), path
    for wide in ("_history", "Observation/_history"):
        entries = (await clinic.system.get(wide)).json()["entry"]
        assert not [each for each in entries if each["fullUrl"].endswith("/o")]
    assert await put(clinic.system, observation(ANN, "o")) == 404
    assert await put(http, observation(ANN, "o")) == 201
    assert (await clinic.system.get("Observation/o")).status_code == 200


async def test_what_a_client_keeps_to_themselves_nobody_else_sees(clinic: Clinic) -> None:
    ann = await clinic.as_person(ANN, "patient/*.cruds", patient="ann")
    assert await put(ann, observation(ANN, "diary", **labelled("client-only", "V"))) == 201
    assert await found(ann, "Observation?_id=diary") == ["Observation/diary"]
    everything = (*labels.HIDING,)
    for http in (
        await cleared(clinic, *everything),
        await clinic.as_person(THERA, "user/*.rs", clearance=everything),
        await clinic.as_person(THERA, "patient/*.rs", clearance=everything, patient="ann"),
        await clinic.as_person(MUM, "user/*.rs", clearance=everything),
    ):
        assert (await http.get("Observation/diary")).status_code == 404
        assert await found(http, "Observation?_id=diary") == []
    glass = await clinic.as_person(THERA, "user/*.rs", clearance=everything, break_glass=True)
    assert (await glass.get("Observation/diary", headers={"X-Purpose-Of-Use": "BTG"})).status_code == 404


async def test_what_clients_perform_for_others_is_not_their_own_record(clinic: Clinic) -> None:
    http = await cleared(clinic, "HIV")
    assert await put(http, observation("Patient/ben", "his", performer=[to(ANN)], **labelled("HIV"))) == 201
    await clinic.put(observation("Patient/ben", "plain", performer=[to(ANN)]))
    ann = await clinic.as_person(ANN, "user/*.rs")
    assert await found(ann, "Observation") == ["Observation/obs-ann", "Observation/plain"]


async def test_a_labelled_questionnaire_is_not_everybody_s(clinic: Clinic) -> None:
    http = await cleared(clinic, "V")
    body = {"resourceType": "Questionnaire", "id": "q", "status": "active"} | labelled("V")
    assert await put(http, body) == 201
    for user in (ANN, THERA, MUM):
        assert (await (await clinic.as_person(user, "user/*.rs")).get("Questionnaire/q")).status_code == 404


async def test_the_clearance_of_a_client_is_that_of_its_tokens(clinic: Clinic) -> None:
    assert await put(await cleared(clinic, "HIV"), observation(ANN, "o", **labelled("HIV"))) == 201
    house = clinic.house
    for clearance, status in (((), 404), (("SUD",), 404), (("HIV",), 200)):
        async with house.app.engine.database.connection(house.tenant_id) as connection:
            new = NewClient("app", "system/*.rs", clearance=clearance)
            made = await clients.register(connection, house.tenant_id, new)
        async with house.client() as http:
            address = house.base.removesuffix("/fhir") + "/oauth/token"
            form = {"grant_type": "client_credentials"}
            answer = await http.post(address, data=form, auth=(made.client_id, made.client_secret))
        async with house.client(answer.json()["access_token"]) as http:
            assert (await http.get("Observation/o")).status_code == status

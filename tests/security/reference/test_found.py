"""What the comparison with the plain filter has found, each in its smallest form."""

from typing import Any

import httpx
import pytest

from tests.security.circles import labelled, observation, to
from tests.security.reference import generator


async def put(http: httpx.AsyncClient, *resources: dict[str, Any]) -> None:
    for each in resources:
        assert (await http.put(f"{each['resourceType']}/{each['id']}", json=each)).status_code in (200, 201)


@pytest.mark.parametrize(
    "value", ["lt2027", "gt2025", "sa2025", "eb2027", "ap2026-01-05", "ne2025", "2026", "le2026,sa2027"]
)
async def test_a_scope_may_be_about_dates_in_every_way_and_on_every_path(
    house: Any, api: httpx.AsyncClient, value: str
) -> None:
    """A search names the slots it uses; a read bound both ends of the date, of which SQL had only one in it."""
    await put(api, observation("Patient/p", "o", effectiveDateTime="2026-01-05"))
    access = generator.access(f"system/Observation.cruds?date={value}")
    async with house.client(await generator.token(house, access)) as http:
        for path in ("Observation/o", "Observation/o/_history", "Observation/_history", "_history", "Observation"):
            assert (await http.get(path)).status_code == 200, path
        assert (await http.get("Observation/_history")).json().get("entry")
        changed = observation("Patient/p", "o", effectiveDateTime="2026-01-05") | {"status": "amended"}
        assert (await http.put("Observation/o", json=changed)).status_code == 200
        assert (await http.delete("Observation/o")).status_code == 204


async def test_a_record_can_be_read_one_by_one_to_its_very_end(house: Any, api: httpx.AsyncClient) -> None:
    """The last part of a record, what refers to the patient from the table of all other types, has no arm beside it."""
    provenance = {
        "resourceType": "Provenance", "recorded": "2026-01-05T00:00:00Z", "target": [to("Patient/p")],
        "agent": [{"who": to("Practitioner/dr")}],
    }  # fmt: skip
    await put(api, {"resourceType": "Patient", "id": "p"})
    await put(api, *(provenance | {"id": f"prov-{at}"} for at in range(3)))
    found, following = [], "Patient/p/$everything?_count=1"
    while following:
        answer = await api.get(following)
        assert answer.status_code == 200, answer.text
        found += [each["resource"]["id"] for each in answer.json()["entry"]]
        following = next((each["url"] for each in answer.json()["link"] if each["relation"] == "next"), "")
    assert sorted(found) == ["p", "prov-0", "prov-1", "prov-2"]


async def test_a_deletion_opens_nothing_that_a_constraint_kept_shut(house: Any, api: httpx.AsyncClient) -> None:
    """A tombstone has no values, so that what is not, or is missing, holds of it: its history must stay out of sight."""
    await put(api, observation("Patient/p", "o", valueString="secret", performer=[to("Practitioner/dr")]))
    assert (await api.delete("Observation/o")).status_code == 204
    for constraint in ("status:not=final", "performer:missing=true", "subject:missing=true", "code:not=x"):
        access = generator.access(f"system/Observation.rs?{constraint}")
        async with house.client(await generator.token(house, access)) as http:
            for path in ("Observation/o", "Observation/o/_history", "Observation/o/_history/1"):
                assert (await http.get(path)).status_code == 404, (constraint, path)
            for path in ("_history", "Observation/_history"):
                assert "secret" not in (await http.get(path)).text, (constraint, path)


async def test_a_form_that_a_label_hides_is_not_there_for_answers_either(house: Any, api: httpx.AsyncClient) -> None:
    """The service looks forms up whatever the scopes say; a refusal told of questions that nobody was to see."""
    form = {
        "resourceType": "Questionnaire", "id": "form", "url": "http://x/form", "version": "1", "status": "active",
        "item": [{"linkId": "secret-question", "type": "string", "required": True}],
    }  # fmt: skip
    answer = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": to("Patient/ann"),
              "questionnaire": "http://x/form|1"}  # fmt: skip
    async with house.client(
        await generator.token(house, generator.access("system/*.cruds", clearance=("HIV",)))
    ) as cleared:
        await put(cleared, form | labelled("HIV"))
        told = await cleared.post("QuestionnaireResponse", json=answer)
        assert "secret-question" in told.text
    unknown = await api.post("QuestionnaireResponse", json=answer | {"questionnaire": "http://x/none|1"})
    for path in ("QuestionnaireResponse", "QuestionnaireResponse/$validate"):
        hidden = await api.post(path, json=answer)
        assert "secret-question" not in hidden.text
        assert unknown.json()["issue"][0]["details"] in [each.get("details") for each in hidden.json()["issue"]]

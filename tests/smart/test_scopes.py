"""What a scope reaches and what the app is told of its launch. https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html"""

from pathlib import Path
from typing import Any

import pytest

smart = pytest.mark.smart
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@smart("136", "170", "367", "363", "164", "g10-1.9.11", "inferno-1.2.06")
async def test_patient_scopes_reach_the_patient_in_context_and_nobody_else(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], "launch/patient patient/*.rs")
    assert told["patient"] == "pat"
    token = told["access_token"]
    assert (await clinic.read(token, "Patient/pat")).status_code == 200
    assert (await clinic.read(token, "Patient/two")).status_code == 404
    assert (await clinic.read(token, "Observation/foreign")).status_code == 404
    assert await clinic.found(token, "Patient") == {"Patient/pat"}
    assert await clinic.found(token, "Observation") == {"Observation/lab", "Observation/survey"}


@smart("140", "368")
async def test_user_scopes_reach_what_the_person_may_see(clinic: Any) -> None:
    app = await clinic.app()
    token = (await clinic.connect(app, clinic.people["practitioner"], "user/*.rs"))["access_token"]
    assert (await clinic.read(token, "Observation/lab")).status_code == 200
    assert (await clinic.read(token, "Practitioner/doc")).status_code == 200
    assert await clinic.found(token, "Patient") == {"Patient/pat"}
    token = (await clinic.connect(app, clinic.people["patient"], "user/*.rs"))["access_token"]
    assert await clinic.found(token, "Observation") == {"Observation/lab", "Observation/survey"}


@smart("119", "140")
async def test_policy_stands_above_scopes(clinic: Any) -> None:
    app = await clinic.app()
    token = (await clinic.connect(app, clinic.people["relative"], "user/*.cruds"))["access_token"]
    # No Consent permits the relative anything.
    assert (await clinic.read(token, "Patient/pat")).status_code == 404
    assert await clinic.found(token, "Observation") == set()
    token = (await clinic.connect(app, clinic.people["stranger"], "user/*.cruds"))["access_token"]
    assert await clinic.found(token, "Patient") == set()


@smart("142")
async def test_system_scopes_reach_what_the_client_may_see_without_a_person(clinic: Any) -> None:
    machine = await clinic.machine("system/Patient.rs")
    token = (await clinic.machine_token(machine, "system/Patient.rs")).json()["access_token"]
    assert await clinic.found(token, "Patient") == {"Patient/pat", "Patient/two"}


@smart("144")
async def test_a_wildcard_reaches_all_types(clinic: Any) -> None:
    app = await clinic.app()
    token = (await clinic.connect(app, clinic.people["patient"], "launch/patient patient/*.rs"))["access_token"]
    for path in ("Observation/lab", "Condition/worry", "Encounter/enc", "Task/task", "CareTeam/team", "Patient/pat"):
        assert (await clinic.read(token, path)).status_code == 200, path
    assert await clinic.found(token, "Goal") == set()


@smart("123", "95")
async def test_the_update_scope_allows_creation_by_update_and_the_create_scope_does_not(lone: Any) -> None:
    for scope, path, status in (
        ("system/Observation.us", "made-by-update", 201),
        ("system/Observation.c", "made-by-create", 403),
    ):
        machine = await lone.machine("system/*.cruds")
        token = (await lone.machine_token(machine, scope)).json()["access_token"]
        made = {
            "resourceType": "Observation", "id": path, "status": "final", "code": {"text": "x"},
            "subject": {"reference": "Patient/pat"},
        }  # fmt: skip
        async with lone.http(token) as http:
            answer = await http.put(f"Observation/{path}", json=made)
        assert answer.status_code == status, (scope, answer.text)


@smart("95", "370")
async def test_each_letter_allows_its_own_interactions(clinic: Any) -> None:
    app = await clinic.app()
    for letter, allowed in {"r": {"read", "vread", "history"}, "s": {"search", "type history"}, "c": set()}.items():
        told = await clinic.connect(app, clinic.people["patient"], f"launch/patient patient/Observation.{letter}")
        tried = {
            "read": "Observation/lab", "vread": "Observation/lab/_history/1", "history": "Observation/lab/_history",
            "search": "Observation", "type history": "Observation/_history",
        }  # fmt: skip
        statuses = {name: (await clinic.read(told["access_token"], path)).status_code for name, path in tried.items()}
        assert {name for name, status in statuses.items() if status == 200} == allowed, letter
        assert all(status in (200, 403) for status in statuses.values()), (letter, statuses)


@smart("119", "140")
async def test_a_policy_that_changes_counts_at_once_for_tokens_that_are_out(lone: Any) -> None:
    app = await lone.app()
    of_user = await lone.connect(app, lone.people["practitioner"], "user/*.rs")
    of_patient = await lone.connect(
        app, lone.people["practitioner"], "launch/patient patient/*.rs", walk={"patient": "pat"}
    )
    for told in (of_user, of_patient):
        assert (await lone.read(told["access_token"], "Observation/lab")).status_code == 200
    async with lone.house.client(await lone.house.token()) as http:
        team = (await http.get("CareTeam/team")).json() | {"status": "inactive"}
        assert (await http.put("CareTeam/team", json=team)).status_code == 200
    for told in (of_user, of_patient):
        assert (await lone.read(told["access_token"], "Observation/lab")).status_code == 404
        assert await lone.found(told["access_token"], "Observation") == set()


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("patient/Observation.read", "rs"), ("patient/Observation.write", "cud"), ("patient/Observation.*", "cruds")],
)
@smart("127", "128", "369", "g10-9.22")
async def test_scopes_of_version_1_come_back_as_asked_and_mean_their_letters(
    lone: Any, scope: str, allowed: str
) -> None:
    app = await lone.app()
    told = await lone.connect(app, lone.people["patient"], f"launch/patient {scope}")
    assert scope in told["scope"].split()
    observation = {
        "resourceType": "Observation", "id": "lab", "status": "amended", "code": {"text": "x"},
        "subject": {"reference": "Patient/pat"},
    }  # fmt: skip
    async with lone.http(told["access_token"]) as http:
        assert ((await http.get("Observation/lab")).status_code == 200) == ("r" in allowed)
        assert ((await http.get("Observation")).status_code == 200) == ("s" in allowed)
        created = await http.post("Observation", json={k: v for k, v in observation.items() if k != "id"})
        assert (created.status_code != 403) == ("c" in allowed)
        assert ((await http.put("Observation/lab", json=observation)).status_code != 403) == ("u" in allowed)
        assert ((await http.delete("Observation/lab")).status_code != 403) == ("d" in allowed)


@smart("369", "g10-9.22", "126")
async def test_wildcards_of_version_1_are_granted_as_asked(clinic: Any) -> None:
    app = await clinic.app("launch/patient patient/*.rs")
    told = await clinic.connect(app, clinic.people["patient"], "launch/patient patient/*.read")
    assert set(told["scope"].split()) == {"launch/patient", "patient/*.read"}


@smart("370", "g10-9.25")
async def test_a_constraint_is_granted_unsplit_and_shows_only_what_its_search_finds(clinic: Any) -> None:
    app = await clinic.app()
    scope = f"patient/Observation.rs?category={CATEGORY}|laboratory"
    told = await clinic.connect(app, clinic.people["patient"], f"launch/patient {scope}")
    assert scope in told["scope"].split()
    token = told["access_token"]
    assert await clinic.found(token, "Observation") == {"Observation/lab"}
    assert (await clinic.read(token, "Observation/survey")).status_code == 404
    both = f"{scope} patient/Observation.rs?category={CATEGORY}|survey"
    told = await clinic.connect(app, clinic.people["patient"], f"launch/patient {both}")
    assert set(told["scope"].split()) == {"launch/patient", *both.split()}
    assert await clinic.found(told["access_token"], "Observation") == {"Observation/lab", "Observation/survey"}


@smart("130")
async def test_each_entry_of_a_batch_is_authorized_for_itself(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], "launch/patient patient/Observation.rs")
    requests = ["Observation/lab", "Condition/worry", "Observation/foreign", "Observation"]
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": url}} for url in requests]
        + [{"request": {"method": "DELETE", "url": "Observation/lab"}}],
    }
    async with clinic.http(told["access_token"]) as http:
        answer = await http.post("", json=batch)
        assert answer.status_code == 200, answer.text
        statuses = [each["response"]["status"][:3] for each in answer.json()["entry"]]
        assert statuses == ["200", "403", "404", "200", "403"]
        refused = await http.post("", json=batch | {"type": "transaction"})
    assert refused.status_code == 403
    assert (await clinic.read(told["access_token"], "Observation/lab")).status_code == 200


@smart("78", "115")
async def test_unknown_and_unregistered_scopes_are_left_out_and_no_error(clinic: Any) -> None:
    app = await clinic.app("launch/patient patient/Observation.rs")
    asked = (
        "launch/patient patient/Observation.rs patient/Condition.rs patient/Nonsense.rs email made-up patient/X.sdurc"
    )
    told = await clinic.connect(app, clinic.people["patient"], asked)
    assert set(told["scope"].split()) == {"launch/patient", "patient/Observation.rs"}


@smart("78")
async def test_a_broader_request_is_narrowed_to_what_is_registered(clinic: Any) -> None:
    app = await clinic.app("launch/patient patient/Observation.rs patient/Condition.r")
    told = await clinic.connect(app, clinic.people["patient"], "launch/patient patient/*.cruds")
    assert set(told["scope"].split()) == {"launch/patient", "patient/Observation.rs", "patient/Condition.r"}


@smart("g10-2.4.10", "78")
async def test_what_the_person_deselects_is_neither_granted_nor_readable(clinic: Any) -> None:
    app = await clinic.app()
    asked = "launch/patient patient/Observation.rs patient/Condition.rs offline_access"
    told = await clinic.connect(
        app, clinic.people["patient"], asked, walk={"keep": lambda scope: "Condition" not in scope}
    )
    assert set(told["scope"].split()) == {"launch/patient", "patient/Observation.rs", "offline_access"}
    assert (await clinic.read(told["access_token"], "Condition/worry")).status_code == 403
    again = (await clinic.refresh(app, told["refresh_token"], scope=asked)).json()
    assert "patient/Condition.rs" not in again["scope"].split()


@smart("g10-2.4.10")
async def test_a_scope_that_was_not_asked_for_cannot_be_added_at_consent(
    clinic: Any, new_pkce: Any, forms: Any, landed: Any
) -> None:
    app, browser = await clinic.app(), clinic.browser()
    verifier, challenge = new_pkce()
    answer = await clinic.ask(clinic.request(app, "launch/patient patient/Observation.rs", challenge), "GET", browser)
    page = await browser.walk(answer, clinic.people["patient"], until="decision")
    form = forms(page.text).having("decision")
    pairs = [*form.sent("scope", "decision"), *(("scope", scope) for scope in form.values("scope"))]
    added = [("scope", "patient/*.cruds"), ("scope", "offline_access"), ("decision", "allow")]
    end = landed(await browser.submit(page, form, [*pairs, *added]))
    told = (await clinic.redeem(app, end.told["code"], verifier)).json()
    assert set(told["scope"].split()) <= {"launch/patient", "patient/Observation.rs"}
    assert "refresh_token" not in told


@smart("139")
async def test_the_documentation_says_what_patient_link_means_for_authorization() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert any("Patient.link" in page.read_text() for page in docs.glob("*.md"))


@smart("139", "136")
async def test_a_link_between_patients_opens_nothing(lone: Any) -> None:
    async with lone.house.client(await lone.house.token()) as http:
        linked = {
            "resourceType": "Patient", "id": "two", "name": [{"family": "Quill"}],
            "link": [{"other": {"reference": "Patient/pat"}, "type": "seealso"}],
        }  # fmt: skip
        assert (await http.put("Patient/two", json=linked)).status_code == 200
    app = await lone.app()
    token = (await lone.connect(app, lone.people["patient"], "launch/patient patient/*.rs"))["access_token"]
    for path in ("Patient/two", "Observation/foreign"):
        assert (await lone.read(token, path)).status_code == 404
    assert await lone.found(token, "Patient") == {"Patient/pat"}

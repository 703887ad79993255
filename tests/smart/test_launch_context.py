"""What the app is told of its launch. https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html"""

from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs"


@smart("164", "149")
async def test_a_patient_scope_brings_a_patient_also_when_the_context_was_not_asked_for(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], "patient/Observation.rs")
    assert told["patient"] == "pat"


@smart("164", "167", "363")
async def test_a_practitioner_chooses_the_patient_of_a_standalone_launch(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(
        app, clinic.people["practitioner"], "launch/patient patient/*.rs", walk={"patient": "pat"}
    )
    assert told["patient"] == "pat"
    assert await clinic.found(told["access_token"], "Patient") == {"Patient/pat"}


@smart("119", "164")
async def test_a_practitioner_is_offered_only_patients_in_their_care_and_cannot_name_another(
    clinic: Any, new_pkce: Any, forms: Any
) -> None:
    app, browser = await clinic.app(), clinic.browser()
    answer = await clinic.ask(clinic.request(app, "launch/patient patient/*.rs", new_pkce()[1]), "GET", browser)
    page = await browser.walk(answer, clinic.people["practitioner"], until="patient")
    form = forms(page.text).having("patient")
    assert form.values("patient") == ["pat"]
    forged = await browser.submit(page, form, [*form.sent("patient"), ("patient", "two")])
    assert forged.status_code in (400, 404)
    assert "Quill" not in forged.text


@smart(
    "359",
    "360",
    "361",
    "362",
    "168",
    "169",
    "170",
    "171",
    "173",
    "174",
    "175",
    "176",
    "194",
    "g10-3.8.17",
    "g10-3.8.18",
)
async def test_the_context_of_an_ehr_launch_is_in_the_token_answer(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", encounter="enc", intent="reconcile-homework", need_patient_banner=False)
    told = await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    assert (told["patient"], told["encounter"], told["intent"]) == ("pat", "enc", "reconcile-homework")
    assert told["need_patient_banner"] is False
    assert isinstance(told["tenant"], str)
    assert told["smart_style_url"].startswith("http")
    async with clinic.http() as http:
        style = await http.get(told["smart_style_url"], headers={"Origin": app.redirect_uri[:-5]})
    assert style.status_code == 200
    assert style.headers["content-type"].startswith("application/json")
    assert style.headers["access-control-allow-origin"]
    assert all(isinstance(value, str) for value in style.json().values())


@smart("173", "359")
async def test_a_banner_is_wanted_unless_the_ehr_says_that_it_shows_one(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    told = await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    assert told["need_patient_banner"] is True


@smart("361", "362")
async def test_context_scopes_of_an_ehr_launch_are_granted_with_their_context(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", encounter="enc")
    scope = "launch launch/patient launch/encounter patient/*.rs"
    told = await clinic.connect(app, clinic.people["practitioner"], scope, launch=launch)
    assert set(told["scope"].split()) == set(scope.split())
    assert (told["patient"], told["encounter"]) == ("pat", "enc")


@smart("172", "177", "178", "185")
async def test_other_context_is_in_fhir_context(clinic: Any) -> None:
    app = await clinic.app()
    items = [
        {"reference": "Task/task"},
        {"canonical": "http://example.org/form|1", "type": "Questionnaire"},
        {"identifier": {"system": "urn:x", "value": "1"}, "type": "Task"},
        {"reference": "Encounter/enc", "role": "https://example.org/role/previous"},
    ]
    launch = await clinic.launch(patient="pat", fhirContext=items)
    told = await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    assert isinstance(told["fhirContext"], list)
    assert len(told["fhirContext"]) == 4
    for sent, got in zip(items, told["fhirContext"], strict=True):
        assert {"reference", "canonical", "identifier"} & set(got)
        assert sent.items() <= got.items()
        assert got.get("role") != ""


@pytest.mark.parametrize(
    "item",
    [
        {}, {"type": "Task"}, {"reference": "Patient/pat"}, {"reference": "Encounter/enc"},
        {"reference": "Encounter/enc", "role": "launch"}, {"reference": "Task/task", "role": ""},
        {"reference": "Task/task", "role": "mine"}, {"reference": "https://other.example/Task/task"},
        {"identifier": {"value": "1"}, "type": "Patient"}, {"reference": "Task/not-there"}, "Task/task",
    ],
)  # fmt: skip
@smart("177", "178", "188", "190", "172")
async def test_context_that_may_not_be_said_cannot_be_put_into_a_launch(clinic: Any, item: Any) -> None:
    ehr = await clinic.machine("__launch system/*.rs", "client_secret_basic")
    token = (await clinic.machine_token(ehr, "__launch system/*.rs")).json()["access_token"]
    async with clinic.http(token) as http:
        answer = await http.post(clinic.url("launch"), json={"patient": "pat", "fhirContext": [item]})
    assert 400 <= answer.status_code < 500


@smart("352", "119")
async def test_launches_are_made_only_by_who_may_and_only_of_what_they_may_see(clinic: Any) -> None:
    async with clinic.http() as http:
        assert (await http.post(clinic.url("launch"), json={"patient": "pat"})).status_code == 401
    plain = await clinic.machine("system/*.rs", "client_secret_basic")
    token = (await clinic.machine_token(plain, "system/*.rs")).json()["access_token"]
    async with clinic.http(token) as http:
        assert (await http.post(clinic.url("launch"), json={"patient": "pat"})).status_code == 403
    blind = await clinic.machine("__launch", "client_secret_basic")
    token = (await clinic.machine_token(blind, "__launch")).json()["access_token"]
    async with clinic.http(token) as http:
        assert 400 <= (await http.post(clinic.url("launch"), json={"patient": "pat"})).status_code < 500


@smart("159", "160", "149", "177")
async def test_a_role_that_is_not_known_gives_the_context_of_the_type(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", fhirContext=[{"reference": "Task/task"}])
    scope = "launch launch/task?role=https://example.org/role/unknown patient/*.rs"
    told = await clinic.connect(app, clinic.people["practitioner"], scope, launch=launch)
    assert [each["reference"] for each in told["fhirContext"]] == ["Task/task"]


@smart("149", "167")
async def test_an_encounter_that_nobody_chose_is_not_told(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(
        app, clinic.people["practitioner"], "launch/patient launch/encounter patient/*.rs", walk={"patient": "pat"}
    )
    assert told["patient"] == "pat"
    assert "encounter" not in told
    async with clinic.http() as http:
        configuration = (await http.get(".well-known/smart-configuration")).json()
    assert "context-standalone-encounter" not in configuration["capabilities"]

"""Launch from an EHR: handles, the context they stand for, and who may use them.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

SCOPE = "openid fhirUser launch patient/*.rs"
EHR = "system/*.rs __launch"


@pytest.fixture
async def ehr(stage: Any) -> str:
    """An access token of the EHR, with a patient, a practitioner and something to open an app on."""
    await stage.put("Patient/p1", "Patient/p2", "Practitioner/d1", "Practitioner/d2")
    await stage.put_resource(
        {
            "resourceType": "Encounter", "id": "e1", "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": "Patient/p1"},
        },
        {
            "resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
            "for": {"reference": "Patient/p1"},
        },
    )  # fmt: skip
    await stage.care("p1", "Practitioner/d1")
    return str(await stage.house.token(EHR))


async def post(stage: Any, token: str | None, body: Any, **headers: str) -> httpx.Response:
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    answer: httpx.Response = await stage.http.post(f"{stage.issuer}/oauth/launch", json=body, headers=sent | headers)
    return answer


async def handle(stage: Any, token: str, **body: Any) -> str:
    answer = await post(stage, token, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["launch"])


def query(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def told(answer: httpx.Response, error: str) -> None:
    assert answer.status_code == 303, answer.text
    assert query(answer.headers["location"]).get("error") == error


def refused(answer: httpx.Response, error: str, status: int) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert ("www-authenticate" in answer.headers) == (status in (401, 403))
    assert answer.headers["cache-control"] == "no-store"


# Who may make a handle.


async def test_without_a_valid_token_no_handle_is_made(stage: Any, ehr: str) -> None:
    body = {"patient": "p1"}
    for token in (None, "unknown"):
        refused(await post(stage, token, body), "invalid_token", 401)
    refused(await post(stage, None, body, Authorization="Basic YTpi"), "invalid_token", 401)
    assert await stage.count("oauth_launch") == 0


@pytest.mark.parametrize("scope", ["system/*.cruds", "__introspect"])
async def test_without_the_scope_no_handle_is_made(stage: Any, scope: str) -> None:
    refused(await post(stage, await stage.house.token(scope), {"patient": "p1"}), "insufficient_scope", 403)


async def test_a_persons_token_makes_no_handle(stage: Any) -> None:
    app, person = await stage.app("user/*.cruds openid"), await stage.person("Practitioner/d1")
    body = await stage.tokens(app, person, {"scope": "user/*.cruds openid __launch"})
    refused(await post(stage, body["access_token"], {"patient": "p1"}), "insufficient_scope", 403)


async def test_the_token_of_another_tenant_makes_no_handle(stage: Any, ehr: str, elsewhere: Any) -> None:
    refused(await post(stage, await elsewhere.token(EHR), {"patient": "p1"}), "invalid_token", 401)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"patient": "Task/t1"},
        {"patient": "https://other.example/fhir/Patient/p1"},
        {"patient": ""},
        {"patient": "p3"},
        {"encounter": "p1"},
        {"user": "d1"},
        {"user": "Organization/o1"},
        {"user": "Practitioner/d9"},
        {"client_id": "unknown"},
        {"need_patient_banner": "yes"},
        {"smart_style_url": "javascript:alert(1)"},
        {"intent": ""},
        {"tenant": "x"},
        {"fhirContext": [{}]},
        {"fhirContext": {"reference": "Task/t1"}},
        {"fhirContext": [{"reference": "Task/t9"}]},
        {"fhirContext": [{"reference": "Patient/p1"}]},
        {"fhirContext": [{"reference": "Encounter/e1"}]},
        {"fhirContext": [{"reference": "Task/t1", "role": ""}]},
        {"fhirContext": [{"reference": "Task/t1", "role": "summary"}]},
        {"fhirContext": [{"reference": "Task/t1", "type": "Goal"}]},
        {"fhirContext": [{"reference": "Nothing/t1"}]},
        {"fhirContext": [{"canonical": "Questionnaire/x"}]},
        {"fhirContext": [{"reference": "Task/t1"}] * 51},
        {"smart_style_url": "https://\u00e9.example/\u2603 x"},
    ],
)
async def test_what_is_wrong_or_not_there_is_refused(stage: Any, ehr: str, body: Any) -> None:
    refused(await post(stage, ehr, body), "invalid_request", 400)
    assert await stage.count("oauth_launch") == 0


async def test_what_the_maker_may_not_see_is_not_there(stage: Any, ehr: str) -> None:
    for scope in ("__launch", "system/Patient.s __launch", "system/Patient.r?_id=p2 __launch"):
        token = await stage.house.token(scope)
        refused(await post(stage, token, {"patient": "p1"}), "invalid_request", 400)


async def test_the_body_is_json_of_limited_size(stage: Any, ehr: str) -> None:
    url, headers = f"{stage.issuer}/oauth/launch", {"Authorization": f"Bearer {ehr}"}
    refused(await stage.http.post(url, data={"patient": "p1"}, headers=headers), "invalid_request", 400)
    headers |= {"Content-Type": "application/json"}
    for content in (b"{", b"\xff", b"{}" + b" " * 70_000):
        refused(await stage.http.post(url, content=content, headers=headers), "invalid_request", 400)


# What a handle is.


async def test_a_handle_is_made(stage: Any, ehr: str) -> None:
    answer = await post(stage, ehr, {"patient": "p1"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"launch", "expires_in"}
    assert 0 < answer.json()["expires_in"] <= 300
    (event,) = await stage.events("launch-created")
    assert {"reference": "Patient/p1"} in [each.get("what") for each in event["entity"]]


async def test_the_address_to_open_is_told_for_a_client_that_has_one(stage: Any, ehr: str) -> None:
    app = await stage.app(SCOPE, launch_url="https://app.example/launch")
    body = (await post(stage, ehr, {"patient": "Patient/p1", "client_id": app.client_id})).json()
    assert body["launch_url"].startswith("https://app.example/launch?")
    assert query(body["launch_url"]) == {"iss": stage.house.base, "launch": body["launch"]}


async def test_a_handle_is_stored_as_a_hash(stage: Any, ehr: str) -> None:
    made = await handle(stage, ehr, patient="p1")
    async with stage.connection() as connection:
        rows = await connection.fetch("select * from oauth_launch where tenant_id = $1", stage.house.tenant_id)
    assert made not in repr([dict(row) for row in rows])
    assert made not in await stage.audit()


# Whose handle it is.


async def test_an_unknown_handle_is_refused(stage: Any) -> None:
    told(await stage.begin(await stage.app(SCOPE), launch="unknown"), "invalid_request")


async def test_a_handle_is_used_once(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    stage.handle(await stage.begin(app, launch=made))
    told(await stage.begin(app, launch=made), "invalid_request")


async def test_of_two_uses_at_once_one_goes_on(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    answers = await stage.race(*[lambda: stage.begin(app, launch=made)] * 2)
    assert sorted("error" in answer.headers["location"] for answer in answers) == [False, True]


async def test_a_refused_request_does_not_use_it_up(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    told(await stage.begin(app, launch=made, aud="https://other.example"), "invalid_request")
    stage.handle(await stage.begin(app, launch=made))


async def test_a_handle_is_over_after_five_minutes(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    await stage.execute("update oauth_launch set expires = expires - interval '5 minutes' where tenant_id = $1")
    told(await stage.begin(app, launch=made), "invalid_request")


async def test_a_handle_for_another_client_is_refused_and_stays_good(stage: Any, ehr: str) -> None:
    app, other = await stage.app(SCOPE), await stage.app(SCOPE)
    made = await handle(stage, ehr, patient="p1", client_id=app.client_id)
    told(await stage.begin(other, launch=made), "invalid_request")
    stage.handle(await stage.begin(app, launch=made))


async def test_the_handle_of_another_tenant_is_unknown(stage: Any, elsewhere: Any) -> None:
    made = await handle(type(stage)(elsewhere, stage.http), await elsewhere.token(EHR), patient="pat")
    told(await stage.begin(await stage.app(SCOPE), launch=made), "invalid_request")


async def test_a_launch_needs_the_scope_launch(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    told(await stage.begin(app, launch=made, scope="patient/*.rs"), "invalid_scope")
    told(await stage.begin(await stage.app("patient/*.rs"), launch=made, scope=SCOPE), "invalid_scope")


async def test_another_person_than_the_ehr_named_is_refused(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1", user="Practitioner/d1")
    answer = await stage.begin(app, launch=made)
    with pytest.raises(stage.RedirectFault) as fault:
        await stage.signed_in(answer, await stage.person("Practitioner/d2"))
    assert query(fault.value.location)["error"] == "access_denied"
    assert query(fault.value.location)["state"] == app.state
    await stage.signed_in(answer, await stage.person("Practitioner/d1"))


async def test_a_patient_is_not_opened_on_another_record(stage: Any, ehr: str) -> None:
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    with pytest.raises(stage.RedirectFault):
        await stage.signed_in(await stage.begin(app, launch=made), await stage.person("Patient/p2"))


async def test_a_relative_without_consent_is_refused(stage: Any, ehr: str) -> None:
    await stage.relative("r1", "p1", consents=False)
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    with pytest.raises(stage.RedirectFault):
        await stage.signed_in(await stage.begin(app, launch=made), await stage.person("RelatedPerson/r1"))


async def test_the_patient_of_the_ehr_can_not_be_exchanged(stage: Any, ehr: str) -> None:
    await stage.care("p2", "Practitioner/d1")
    app, made = await stage.app(SCOPE), await handle(stage, ehr, patient="p1")
    person = await stage.person("Practitioner/d1")
    request, asked = await stage.signed_in(await stage.begin(app, launch=made), person)
    assert stage.next_step(asked, person) == "consent"
    asked = await stage.choose(request, asked, person, "p2")
    assert asked.context["patient"] == "p1"


# What the app gets.


async def test_the_answer_has_the_whole_context(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE), await stage.person("Practitioner/d1")
    context = [
        {"reference": "Task/t1"},
        {"canonical": "https://hearth.health/fhir/Questionnaire/phq-9", "type": "Questionnaire"},
        {"reference": "Patient/p2", "role": "https://example.org/role/sibling"},
        {"identifier": {"system": "urn:x", "value": "1"}, "type": "Goal"},
    ]
    made = await handle(
        stage, ehr, patient="p1", encounter="e1", user="Practitioner/d1", fhirContext=context,
        intent="review-homework", need_patient_banner=False, smart_style_url="https://ehr.example/style.json",
    )  # fmt: skip
    body = await stage.tokens(app, person, {"launch": made})
    assert (body["patient"], body["encounter"], body["intent"]) == ("p1", "e1", "review-homework")
    assert body["need_patient_banner"] is False
    assert body["smart_style_url"] == "https://ehr.example/style.json"
    assert body["tenant"] == stage.house.name
    assert body["fhirContext"] == [
        {"reference": "Task/t1", "type": "Task"},
        {"canonical": "https://hearth.health/fhir/Questionnaire/phq-9", "type": "Questionnaire"},
        {"reference": "Patient/p2", "role": "https://example.org/role/sibling", "type": "Patient"},
        {"identifier": {"system": "urn:x", "value": "1"}, "type": "Goal"},
    ]
    assert (await stage.access(body["access_token"])).patient == "p1"


async def test_banner_and_style_are_always_told(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE), await stage.person("Practitioner/d1")
    body = await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    assert body["need_patient_banner"] is True
    assert {"encounter", "intent", "fhirContext"}.isdisjoint(body)
    answer = await stage.http.get(body["smart_style_url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.json()["color_background"].startswith("#")
    other = body["smart_style_url"].replace(".json", "0.json")
    assert (await stage.http.get(other)).status_code == 404


async def test_without_a_patient_the_person_chooses_one(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE), await stage.person("Practitioner/d1")
    body = await stage.tokens(app, person, {"launch": await handle(stage, ehr, intent="x")}, patient="p1")
    assert (body["patient"], body["intent"]) == ("p1", "x")


async def test_a_refresh_repeats_the_context(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE + " online_access"), await stage.person("Practitioner/d1")
    made = await handle(stage, ehr, patient="p1", encounter="e1", fhirContext=[{"reference": "Task/t1"}])
    first = await stage.tokens(app, person, {"launch": made})
    again = (await app.refresh(stage.http, first["refresh_token"])).json()
    for name in ("patient", "encounter", "fhirContext", "need_patient_banner", "smart_style_url", "tenant"):
        assert again[name] == first[name]


@pytest.mark.parametrize(
    ("kept", "present"),
    [
        ("launch", {"patient", "encounter", "fhirContext", "tenant"}),
        ("launch/patient", {"patient"}),
        ("launch/encounter", {"encounter"}),
        ("launch/task", {"fhirContext"}),
        ("patient/Task.rs", {"patient"}),
        ("openid", set()),
    ],
)
async def test_the_context_is_what_the_scopes_ask_for(stage: Any, ehr: str, kept: str, present: set[str]) -> None:
    """As left by the person, who may deselect `launch` too."""
    scope = "openid launch launch/patient launch/encounter launch/task launch/questionnaire patient/*.rs"
    app, person = await stage.app(scope), await stage.person("Practitioner/d1")
    made = await handle(stage, ehr, patient="p1", encounter="e1", fhirContext=[{"reference": "Task/t1"}])
    body = await stage.tokens(app, person, {"launch": made}, scopes=[kept])
    assert {"patient", "encounter", "fhirContext", "tenant"} & set(body) == present


async def test_launch_without_a_handle_is_no_scope(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE), await stage.person("Practitioner/d1")
    body = await stage.tokens(app, person, patient="p1")
    assert body["scope"] == "openid fhirUser patient/*.rs"
    assert {"need_patient_banner", "smart_style_url", "tenant"}.isdisjoint(body)


# Consent that was given before (decision 0010).


async def again(stage: Any, ehr: str, app: Any, person: Any, **changes: str | None) -> str:
    made = await handle(stage, ehr, patient="p1")
    _, asked = await stage.signed_in(await stage.begin(app, launch=made, **changes), person)
    return str(stage.next_step(asked, person))


async def test_who_allowed_a_confidential_app_before_is_not_asked_again(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE, "client_secret_basic"), await stage.person("Practitioner/d1")
    assert await again(stage, ehr, app, person) == "consent"
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    assert await again(stage, ehr, app, person) == "done"
    made = await handle(stage, ehr, patient="p1")
    assert (await stage.tokens(app, person, {"launch": made}))["patient"] == "p1"


async def test_but_for_anything_more(stage: Any, ehr: str) -> None:
    app = await stage.app(SCOPE + " user/*.rs", "client_secret_basic")
    person = await stage.person("Practitioner/d1")
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1"), "scope": SCOPE})
    assert await again(stage, ehr, app, person, scope=SCOPE) == "done"
    assert await again(stage, ehr, app, person, scope="launch patient/Task.r") == "done"
    assert await again(stage, ehr, app, person, scope=SCOPE + " user/Task.r") == "consent"
    assert await again(stage, ehr, app, person, scope=SCOPE, prompt="consent") == "consent"


async def test_but_by_another_person_or_for_another_app(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE, "client_secret_basic"), await stage.person("Practitioner/d1")
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    assert await again(stage, ehr, app, await stage.person("Practitioner/d2")) == "consent"
    assert await again(stage, ehr, await stage.app(SCOPE, "client_secret_basic"), person) == "consent"


async def test_but_after_it_was_revoked_or_expired(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE, "client_secret_basic"), await stage.person("Practitioner/d1")
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    (listed,) = await stage.authorizations(person)
    await stage.revoke(listed, person)
    assert await again(stage, ehr, app, person) == "consent"
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    await stage.execute("update oauth_authorization set expires = now() - interval '1 second' where tenant_id = $1")
    assert await again(stage, ehr, app, person) == "consent"


async def test_a_public_app_is_asked_for_each_time(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE), await stage.person("Practitioner/d1")
    await stage.tokens(app, person, {"launch": await handle(stage, ehr, patient="p1")})
    assert await again(stage, ehr, app, person) == "consent"


async def test_without_the_ehr_everybody_is_asked_each_time(stage: Any, ehr: str) -> None:
    app, person = await stage.app(SCOPE, "client_secret_basic"), await stage.person("Practitioner/d1")
    await stage.tokens(app, person, patient="p1")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    asked = await stage.choose(handle, asked, person, "p1")
    assert stage.next_step(asked, person) == "consent"

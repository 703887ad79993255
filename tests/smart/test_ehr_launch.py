"""Apps that an EHR opens. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch"""

import asyncio
from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs"


@smart("352", "request-launch", "168")
async def test_an_ehr_launch_ends_in_a_token_with_the_context_of_the_ehr(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", encounter="enc")
    told = await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    assert (told["patient"], told["encounter"]) == ("pat", "enc")


@smart("request-launch")
async def test_a_launch_is_used_once(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    again = landed(await clinic.ask(clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert again.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_is_of_no_use_after_some_minutes(clinic: Any, new_pkce: Any, landed: Any, later: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    later(601)
    end = landed(await clinic.ask(clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert end.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_for_one_app_is_nothing_to_another(clinic: Any, new_pkce: Any, landed: Any) -> None:
    meant, other = await clinic.app(), await clinic.app()
    launch = await clinic.launch(patient="pat", client_id=meant.client_id)
    end = landed(await clinic.ask(clinic.request(other, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert end.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_for_one_person_is_nothing_to_another(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", user="Practitioner/doc")
    end = await clinic.land(app, clinic.people["patient"], "launch patient/*.rs", new_pkce()[1], launch=launch)
    assert end.told["error"] == "access_denied"


@smart("request-launch", "119")
async def test_a_launch_does_not_show_a_patient_a_record_of_somebody_else(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="two")
    end = await clinic.land(app, clinic.people["patient"], "launch patient/*.rs", new_pkce()[1], launch=launch)
    assert end.told["error"] == "access_denied"


@smart("request-launch")
async def test_of_ten_who_bring_one_launch_at_once_exactly_one_goes_on(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    params = clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)
    answers = await asyncio.gather(*(clinic.ask(params) for _ in range(10)))
    went_on = [each for each in answers if "/sign-in" in each.headers["location"]]
    assert len(went_on) == 1
    assert [landed(each).told["error"] for each in answers if each not in went_on] == ["invalid_request"] * 9

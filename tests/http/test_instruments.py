"""Measures with a licence, by sex, with several totals; and ratings that apps send."""

import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas import json, library
from schemas.instrument import ANSWER, INSTRUMENT
from schemas.ratings import MEASURE
from service.homework import policy

Json = dict[str, Any]
FORMS: Final = {
    each["url"].rsplit("/", 1)[1]: each for each in library.seed() if each["resourceType"] == "Questionnaire"
}
LOINC: Final = "http://loinc.org"
URL: Final = "https://clinic.example/Questionnaire/isi"
PAGE: Final = Path(__file__).parents[2] / "docs" / "instruments.md"
EXAMPLES: Final = [
    json.decode(each.encode()) for each in re.findall(r"^```json\n(.+?)^```", PAGE.read_text(), re.M | re.S)
]
VERBOSE: Final = {"Prefer": "return=OperationOutcome"}


def isi(**members: Any) -> Json:
    """A form as a tenant loads it: the panel, the items, its own words and by which right."""
    items = [
        {"linkId": str(n), "type": "integer", "code": [{"system": INSTRUMENT, "code": f"isi-{n}"}]} for n in range(1, 8)
    ]
    return {
        "resourceType": "Questionnaire", "id": "isi", "status": "active", "url": URL, "copyright": "Licensed to us",
        "code": [{"system": INSTRUMENT, "code": "isi"}], "item": items,
    } | members  # fmt: skip


def response(url: str, items: list[Json], **members: Any) -> Json:
    return {
        "resourceType": "QuestionnaireResponse", "id": "qr", "status": "completed", "questionnaire": url,
        "subject": {"reference": "Patient/p"}, "authored": "2026-01-14T20:20:00Z", "item": items,
    } | members  # fmt: skip


def nights(number: int = 2) -> Json:
    return response(URL, [{"linkId": str(n), "answer": [{"valueInteger": number}]} for n in range(1, 8)])


def chosen(form: str, codes: list[str | None]) -> Json:
    asked = [each for each in FORMS[form]["item"] if each["type"] == "choice"]
    items = [
        {"linkId": each["linkId"], "answer": [{"valueCoding": {"system": LOINC, "code": code}}]}
        for each, code in zip(asked, codes, strict=False)
        if code
    ]
    return response(FORMS[form]["url"], items)


async def put(api: httpx.AsyncClient, body: Json, **headers: str) -> Json:
    answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    made: Json = answer.json()
    return made


async def observations(api: httpx.AsyncClient) -> dict[str, Json]:
    found = (await api.get("Observation?status=final,amended")).json().get("entry", [])
    return {each["resource"]["code"]["coding"][0]["code"]: each["resource"] for each in found}


async def allow(house: Any, *ids: str) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await policy.keep(connection, house.tenant_id, policy.HomeworkPolicy(instruments=frozenset(ids)))


def codes(outcome: Json) -> list[str]:
    return [each["details"]["coding"][0]["code"] for each in outcome["issue"]]


# --- licences ------------------------------------------------------------------------------------------------------------


async def test_without_a_licence_answers_are_kept_and_not_scored_and_the_reply_says_why(api: httpx.AsyncClient) -> None:
    form = await put(api, isi(), **VERBOSE)
    answer = await put(api, nights(), **VERBOSE)
    for outcome in (form, answer):
        assert codes(outcome) == ["informational", "instrument-inactive"]
        assert outcome["issue"][1]["severity"] == "warning"
    assert answer["issue"][1]["expression"] == ["QuestionnaireResponse.questionnaire"]
    assert (await api.get("QuestionnaireResponse/qr")).json()["item"] == nights()["item"]
    assert await observations(api) == {}


async def test_validate_says_the_same(api: httpx.AsyncClient) -> None:
    await put(api, isi())
    for name, body in (("Questionnaire", isi()), ("QuestionnaireResponse", nights())):
        outcome = (await api.post(f"{name}/$validate", json=body)).json()
        assert codes(outcome) == ["instrument-inactive"]
        assert outcome["issue"][0]["severity"] == "warning"


async def test_a_licensed_instrument_is_scored_once_the_tenant_says_so(house: Any, api: httpx.AsyncClient) -> None:
    await put(api, isi())
    await put(api, nights())
    await allow(house, "isi")
    assert codes(await put(api, nights(3), **VERBOSE)) == ["informational"]
    assert (await observations(api))["isi-total"]["valueInteger"] == 21
    assert codes((await api.post("QuestionnaireResponse/$validate", json=nights())).json()) == ["informational"]


async def test_a_form_that_does_not_say_by_which_right_is_not_scored(house: Any, api: httpx.AsyncClient) -> None:
    await allow(house, "isi")
    form = isi()
    del form["copyright"]
    assert codes(await put(api, form, **VERBOSE)) == ["informational", "instrument-inactive"]
    assert "copyright" in (await put(api, nights(), **VERBOSE))["issue"][1]["diagnostics"]
    assert await observations(api) == {}


async def test_a_batch_tells_it_beside_each_answer(api: httpx.AsyncClient) -> None:
    await put(api, isi())
    for number, kind in enumerate(("batch", "transaction"), 1):
        entry = {"request": {"method": "PUT", "url": "QuestionnaireResponse/qr"}, "resource": nights(number)}
        made = (await api.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})).json()
        assert codes(made["entry"][0]["response"]["outcome"]) == ["instrument-inactive"]
        assert made["entry"][0]["resource"]["id"] == "qr"


async def test_what_tells_of_risk_does_so_without_a_licence(api: httpx.AsyncClient) -> None:
    item = {"linkId": "6", "type": "choice", "code": [{"system": INSTRUMENT, "code": "core-10-6"}]}
    await put(api, isi(id="core", code=[{"system": INSTRUMENT, "code": "core-10"}], item=[item]))
    answer = {"linkId": "6", "answer": [{"valueCoding": {"system": ANSWER, "code": "1"}}]}
    await put(api, {"resourceType": "Patient", "id": "p"})
    await put(api, response(URL, [answer]))
    assert await observations(api) == {}
    assert (await api.get("Task?code=clinician-risk-review")).json()["total"] == 1


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each["resourceType"])
async def test_the_examples_of_the_page_do_what_it_says(house: Any, api: httpx.AsyncClient, example: Json) -> None:
    await allow(house, "isi")
    made = await api.post(example["resourceType"], json=example, headers=VERBOSE)
    assert made.status_code == 201, made.text
    assert codes(made.json()) == ["informational"]


# --- by sex --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gender", "said"),
    [
        ("female", "at or above the threshold of 3 (3-12)"),
        ("male", "below the threshold of 4 (0-3)"),
        ("other", "at the threshold for women (3), below that for men (4) (3-3)"),
        (None, "at the threshold for women (3), below that for men (4) (3-3)"),
    ],
)
async def test_the_band_of_the_audit_c_is_that_of_the_client(
    api: httpx.AsyncClient, gender: str | None, said: str
) -> None:
    await put(api, {"resourceType": "Patient", "id": "p"} | ({"gender": gender} if gender else {}))
    await put(api, FORMS["audit-c"])
    await put(api, chosen("audit-c", ["LA18926-8", "LA18930-0", "LA6270-8"]))
    total = (await observations(api))["75626-2"]
    assert (total["valueInteger"], total["interpretation"]) == (3, [{"text": said}])


async def test_who_never_drinks_is_not_asked_more(api: httpx.AsyncClient) -> None:
    await put(api, FORMS["audit"])
    await put(api, chosen("audit", ["LA6270-8", *[None] * 7, "LA32-8", "LA32279-4"]))
    found = await observations(api)
    assert (found["75624-7"]["valueInteger"], found["75626-2"]["valueInteger"]) == (2, 0)
    asked = chosen("audit", ["LA6270-8", "LA15695-2", *[None] * 6, "LA32-8", "LA32-8"])
    assert (await api.put("QuestionnaireResponse/qr", json=asked)).status_code == 422


async def test_a_man_may_leave_out_what_is_not_asked_of_him(api: httpx.AsyncClient) -> None:
    await put(api, {"resourceType": "Patient", "id": "p", "gender": "male"})
    await put(api, FORMS["phq-15"])
    await put(api, chosen("phq-15", ["LA18335-2"] * 3 + [None] + ["LA18335-2"] * 11))
    assert (await observations(api))["70273-8"]["valueInteger"] == 14


async def test_several_totals_are_found_under_their_panel(api: httpx.AsyncClient) -> None:
    await put(api, FORMS["phq-4"])
    await put(api, chosen("phq-4", ["LA6571-9", "LA6571-9", "LA6569-3", "LA6568-5"]))
    found = await observations(api)
    assert {code: found[code]["valueInteger"] for code in ("70272-0", "gad-2-total", "55758-7")} == {
        "70272-0": 7, "gad-2-total": 6, "55758-7": 1,
    }  # fmt: skip
    answer = (await api.get("Observation?code=phq-4&_include=Observation:has-member")).json()
    assert len(answer["entry"]) == 4


# --- ratings -------------------------------------------------------------------------------------------------------------


def rating(code: str, **members: Any) -> Json:
    coded = {"coding": [{"system": MEASURE, "code": code}]}
    return {
        "resourceType": "Observation", "id": "o", "status": "final", "code": coded, "subject": {"reference": "Patient/p"}
    } | members  # fmt: skip


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"valueInteger": 11}, "Observation.valueInteger"),
        ({"valueQuantity": {"value": -1}}, "Observation.valueQuantity"),
    ],
)
async def test_a_rating_off_its_scale_is_refused(api: httpx.AsyncClient, members: Json, where: str) -> None:
    answer = await api.put("Observation/o", json=rating("mood", **members))
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert (issue["details"]["coding"][0]["code"], issue["expression"]) == ("rating-off-scale", [where])
    assert (await api.get("Observation/o")).status_code == 404


async def test_a_rating_is_kept_with_its_scale_and_its_task(api: httpx.AsyncClient) -> None:
    await put(api, rating("mastery", valueInteger=7, focus=[{"reference": "Task/t"}]))
    (found,) = [each["resource"] for each in (await api.get("Observation?focus=Task/t")).json()["entry"]]
    assert found["referenceRange"] == [{"low": {"value": 0}, "high": {"value": 10}, "text": "0-10 scale"}]
    own = {"low": {"value": 0}, "high": {"value": 10}, "text": "0 to 10"}
    body = rating("suds", valueInteger=9, referenceRange=[own])
    assert (await put(api, body))["referenceRange"] == body["referenceRange"]


async def test_what_is_no_rating_of_ours_is_kept_as_it_was_sent(api: httpx.AsyncClient) -> None:
    other = rating("mood", valueInteger=999) | {
        "code": {"coding": [{"system": "https://other.example", "code": "mood"}]}
    }
    made = await put(api, other)
    assert {name: value for name, value in made.items() if name != "meta"} == other

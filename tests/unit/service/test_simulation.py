"""The made-up clinic is the same for the same seed, answers every form of the library rightly, and looks like a clinic."""

from datetime import UTC, datetime
from random import Random
from statistics import correlation, mean, stdev
from typing import Any, Final

import pytest

from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import library
from service.simulation import course
from service.simulation.answering import answered
from service.simulation.population import PROGRAMMES, population

FORMS: Final = [each for each in library.seed() if each["resourceType"] == "Questionnaire"]
NOW: Final = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
CLIENTS: Final = population(7, 400, 8)


def test_the_same_seed_makes_the_same_clinic_and_another_one_another() -> None:
    assert population(7, 20, 3) == population(7, 20, 3)
    assert population(7, 30, 3)[:20] == population(7, 20, 3)
    assert population(8, 20, 3) != population(7, 20, 3)
    first = CLIENTS[0]
    assert [course.outcome(first, day, day % 7, "x") for day in range(50)] == [
        course.outcome(first, day, day % 7, "x") for day in range(50)
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form["url"].rpartition("/")[2])
def test_every_form_of_the_library_is_answered_as_it_asks(form: dict[str, Any]) -> None:
    compiled = compile_questionnaire(form)
    for number in range(20):
        response = {
            "resourceType": "QuestionnaireResponse",
            "questionnaire": f"{form['url']}|{form['version']}",
            "status": "completed",
            "item": answered(form, NOW, Random(number), {}),  # noqa: S311
        }
        assert [each for each in check_response(response, compiled) if each.severity == "error"] == []


def test_a_course_says_what_the_form_hears() -> None:
    form = next(each for each in FORMS if each["url"].endswith("/exposure-record"))
    items = answered(form, NOW, Random(1), {"suds-pre": 70, "suds-peak": 85, "suds-post": 40})  # noqa: S311
    (suds,) = [each for each in items if each["linkId"] == "suds"]
    assert [each["answer"] for each in suds["item"]] == [
        [{"valueInteger": 70}], [{"valueInteger": 85}], [{"valueInteger": 40}],
    ]  # fmt: skip


@pytest.mark.parametrize("total", range(28))
def test_a_total_is_spread_over_the_items(total: int) -> None:
    given = course.spread(CLIENTS[3], 2, total, 9, 3, 0)
    assert sum(given) == total
    assert max(given) <= 3
    assert given[-1] == 0 or total > 24


def test_it_looks_like_a_clinic() -> None:
    """Severity, adherence, change and their relation within what studies of homework report."""
    starts = [course.score(each, 0, 27) for each in CLIENTS]
    assert 11 < mean(starts) < 16
    assert 3 < stdev(starts) < 6
    done, fallen = [], []
    for client in CLIENTS:
        days = [course.outcome(client, day, day % 7, "x").what for day in range(84)]
        done.append(days.count(course.DONE) / 84)
        fallen.append(course.score(client, 0, 27) - course.score(client, 12, 27))
    assert 0.35 < mean(done) < 0.75
    assert 2 < mean(fallen) < 8
    assert 0.1 < correlation(done, fallen) < 0.5
    assert 0.03 < mean([each.risk for each in CLIENTS]) < 0.2
    assert {each.programme for each in CLIENTS} == set(PROGRAMMES)


def test_exposure_loses_its_edge_with_practice() -> None:
    peaks = [[course.distress(each, day)[1] for each in CLIENTS] for day in (0, 80)]
    assert mean(peaks[0]) > mean(peaks[1]) + 5
    assert all(0 <= low <= high for each in CLIENTS for low, high in [course.distress(each, 9)[:2]])

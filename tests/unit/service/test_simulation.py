"""The made-up clinic is the same for the same seed, answers every form of the library rightly, and looks like a clinic."""

from collections import Counter
from datetime import UTC, datetime
from random import Random
from statistics import correlation, mean, stdev
from typing import Any, Final

import pytest

from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import library
from service.simulation import course, words
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


def test_what_waits_for_an_answer_is_asked_once_it_is_there() -> None:
    form = next(each for each in FORMS if each["url"].endswith("/thought-record"))
    said = answered(form, NOW, Random(3), {"thinking-pattern": 2, "alternative": "It was one sentence of many."})  # noqa: S311
    given = {each["linkId"]: each for each in said}
    assert given["thinking-pattern"]["answer"][0]["valueCoding"]["code"]
    assert list(given).index("thought") < list(given).index("thinking-pattern")
    diary = next(each for each in FORMS if each["url"].endswith("/sleep-diary") and each["status"] == "active")
    for times, asked in ((0, False), (2, True)):
        said = answered(diary, NOW, Random(3), {"times-awake": times, "minutes-awake": 20})  # noqa: S311
        assert ("minutes-awake" in {each["linkId"] for each in said}) is asked


@pytest.mark.parametrize("language", ["en", "es", "de", "nl"])
def test_clients_say_all_of_it_in_their_own_language(language: str) -> None:
    tables: tuple[Any, ...] = (words.NOTICED, words.DID, words.LEVELS, words.PRACTISED, *words.GOALS.values())
    others = [text for table in tables for each in table if each != language for text in _texts(table[each])]
    own = [text for table in tables for text in _texts(table[language])]
    assert own
    assert not set(own) & set(others)
    assert set(words.GOALS) == set(PROGRAMMES)
    form = next(each for each in FORMS if each["url"].endswith("/gratitude-journal"))
    said = answered(form, NOW, Random(1), {}, language)  # noqa: S311
    assert said[0]["item"][0]["answer"][0]["valueString"] in words.NOTICED[language]


def _texts(said: Any) -> list[str]:
    return [said] if isinstance(said, str) else list(said)


def test_what_has_several_days_is_done_on_one_of_them() -> None:
    days = Counter(course.day_of(each, 7, 7, "phq-9 1") for each in CLIENTS)
    assert set(days) == set(range(7, 14))
    assert max(days.values()) < 3 * min(days.values())
    assert course.day_of(CLIENTS[0], 5, 1, "x") == 5


def test_goals_come_nearer_and_watches_tell_what_a_body_can_do() -> None:
    levels = [[course.level(each, week) for each in CLIENTS] for week in (0, 12)]
    assert -2 <= mean(levels[0]) < mean(levels[1]) - 1
    read = [course.reading(each, day) for each in CLIENTS for day in (6, 83)]
    assert all(400 <= steps < 25_000 and 2 < hours < 12 for steps, hours in read)
    assert 0.2 < mean([each.wears for each in CLIENTS]) < 0.5


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

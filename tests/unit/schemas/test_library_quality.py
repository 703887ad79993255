"""What a therapist may rely on in the library: whole, findable, kind, translated where it says so, and stable."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest

from schemas import json, library
from schemas.instruments import instrument_for
from schemas.translation import claimed, texts

RESOURCES = list(library.seed())
WORDS = library.translations()
LEDGER = Path(__file__).parents[2] / "cases" / "library_link_ids.json"
MEASURE = f"{library.BASE}/CodeSystem/homework-measure"
TOPIC = f"{library.BASE}/CodeSystem/homework-topic"
TYPE = f"{library.BASE}/CodeSystem/homework-activity-type"

BLAMING = {
    "en": r"\b(fail\w*|non-?complian\w*|complian\w*|laz[yi]\w*|excuses?|refus\w*|resist\w*|missed|blame\w*)\b",
    "es": r"\b(fracas\w*|fallad\w*|incumpl\w*|perez\w*|excusas?|culpa|debe)\b",
    "de": r"\b(versag\w*|gescheitert|faul\w*|ausred\w*|schuld|verweiger\w*|versäumt\w*)\b",
}


def _of(type_name: str) -> list[dict[str, Any]]:
    return [resource for resource in RESOURCES if resource["resourceType"] == type_name]


def _named(resource: dict[str, Any]) -> str:
    return f"{resource['url'].rsplit('/', 1)[1]} {resource['version']}"


def _is_instrument(form: dict[str, Any]) -> bool:
    return instrument_for((coding["system"], coding["code"]) for coding in form.get("code", ())) is not None


ACTIVITIES = [activity for activity in _of("ActivityDefinition") if activity["status"] != "retired"]
PLANS = _of("PlanDefinition")
FORMS = _of("Questionnaire")
OWN_FORMS = [form for form in FORMS if not _is_instrument(form)]
BY_CANONICAL = {library.canonical(resource): resource for resource in RESOURCES}


def _contexts(resource: dict[str, Any], kind: str) -> list[Any]:
    found = []
    for context in resource["useContext"]:
        if context["code"]["code"] == kind:
            (value,) = [value for name, value in context.items() if name.startswith("value")]
            found.append(value["coding"][0]["code"] if "coding" in value else value)
    return found


def _items(parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in parent.get("item", ()):
        yield item
        yield from _items(item)


def _actions(parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for action in parent.get("action", ()):
        yield action
        yield from _actions(action)


def _topics(resource: dict[str, Any], system: str) -> list[str]:
    codings = [coding for topic in resource["topic"] for coding in topic["coding"]]
    return [coding["code"] for coding in codings if coding["system"] == system]


def _forms_of(activity: dict[str, Any]) -> list[dict[str, Any]]:
    related = activity["relatedArtifact"]
    return [BY_CANONICAL[each["resource"]] for each in related if each["type"] == "depends-on"]


def test_the_library_covers_every_kind_of_homework() -> None:
    (kinds,) = (each for each in _of("CodeSystem") if each["url"] == TYPE)
    # Whatever else was agreed on, and what a clinician is asked for.
    by_hand = {"custom", "clinician-risk-review", "plan-review", "review-proposal"}

    assert len([activity for activity in ACTIVITIES if activity["status"] == "active"]) >= 36
    assert {code for activity in ACTIVITIES for code in _topics(activity, TYPE)} == {
        concept["code"] for concept in kinds["concept"]
    } - by_hand


@pytest.mark.parametrize("activity", ACTIVITIES, ids=_named)
def test_an_activity_says_why_how_and_in_which_other_form(activity: dict[str, Any]) -> None:
    assert activity["description"]
    assert len(activity["purpose"]) > 60
    assert re.match(r"1\. .+\n2\. ", activity["usage"])
    formats = [each for each in activity["relatedArtifact"] if each["type"] == "documentation"]
    assert len(formats) >= 2
    assert all(each["display"] for each in formats)
    assert [each["label"] for each in formats if each["label"] != "example"] == _contexts(activity, "format")


@pytest.mark.parametrize("activity", ACTIVITIES, ids=_named)
def test_an_activity_says_how_much_for_whom_and_what_for(activity: dict[str, Any]) -> None:
    repeat = activity["timingTiming"]["repeat"]
    (minutes,) = _contexts(activity, "duration")
    (age,) = _contexts(activity, "age")

    assert repeat["duration"] == minutes["value"]
    assert (repeat["durationUnit"], minutes["code"]) == ("min", "min")
    assert activity["kind"] == ("Task" if "count" in repeat else "ServiceRequest")
    assert age["low"]["code"] == "a"
    assert len(_contexts(activity, "reading-level")) == 1
    assert _topics(activity, TYPE) == [activity["code"]["coding"][0]["code"]]
    assert [code for code in _topics(activity, TOPIC) if code != "self-treatment"] == _contexts(activity, "focus")
    assert _contexts(activity, "focus")


@pytest.mark.parametrize("activity", ACTIVITIES, ids=_named)
def test_an_activity_has_a_place_for_reflection(activity: dict[str, Any]) -> None:
    forms = _forms_of(activity)
    free = {item["type"] for form in forms for item in _items(form)} & {"text", "string", "attachment"}

    # Without a form of ours the words go to Task.output (reflection).
    assert free or not [form for form in forms if not _is_instrument(form)]


def test_what_a_client_may_assign_to_themselves_is_neither_exposure_nor_trauma_work() -> None:
    own = {activity["url"] for activity in ACTIVITIES if "self-treatment" in _topics(activity, TOPIC)}
    risky = {"exposure-step", "experiment", "urge-surfing", "outcome-measure", "group-challenge", "coping-plan"}

    assert len(own) >= 20
    found = {
        activity["url"].rsplit("/", 1)[1]: _topics(activity, TYPE)[0]
        for activity in ACTIVITIES
        if activity["url"] in own
    }
    assert {name for name, kind in found.items() if kind in risky} == {"good-enough", "staying-well-plan"}


def test_versions_are_real() -> None:
    canonicals = [library.canonical(resource) for resource in RESOURCES]
    statuses = {resource["status"] for resource in _of("ActivityDefinition")}
    night = [(each["version"], each["status"]) for each in RESOURCES if each["url"].endswith("Definition/sleep-diary")]

    assert len(set(canonicals)) == len(canonicals)
    assert statuses == {"draft", "active", "retired"}
    assert night == [("1.0.0", "retired"), ("1.1.0", "active")]


def _canonicals(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, child in value.items():
            if name in ("definitionCanonical", "resource", "derivedFrom") and isinstance(child, str):
                yield child
            else:
                yield from _canonicals(child)
    elif isinstance(value, list):
        for child in value:
            yield from _canonicals(child)


@pytest.mark.parametrize("resource", [*ACTIVITIES, *PLANS], ids=_named)
def test_what_is_referred_to_is_there_and_not_retired(resource: dict[str, Any]) -> None:
    for target in _canonicals(resource):
        assert BY_CANONICAL[target]["status"] == "active"


@pytest.mark.parametrize("form", FORMS, ids=_named)
def test_link_ids_stand_once_and_conditions_ask_about_questions_that_offer_the_answer(form: dict[str, Any]) -> None:
    items = {item["linkId"]: item for item in _items(form)}

    assert len(items) == len(list(_items(form)))
    for item in items.values():
        assert re.fullmatch(r"[a-z0-9-]+|\d+-\d", item["linkId"])
        for condition in item.get("enableWhen", ()):
            asked = items[condition["question"]]
            options = [(o["valueCoding"]["system"], o["valueCoding"]["code"]) for o in asked.get("answerOption", ())]
            wanted = condition.get("answerCoding")
            assert wanted is None or (wanted["system"], wanted["code"]) in options
            assert ("answerInteger" in condition) <= (asked["type"] == "integer")


@pytest.mark.parametrize("form", OWN_FORMS, ids=_named)
def test_what_a_form_calls_its_items_changes_only_with_its_version(form: dict[str, Any]) -> None:
    ledger: dict[str, list[str]] = json.decode(LEDGER.read_bytes())
    name = library.canonical(form).removeprefix(f"{library.BASE}/Questionnaire/")

    assert ledger.get(name) == [item["linkId"] for item in _items(form)], f"raise the version, then add {name}"


@pytest.mark.parametrize("form", OWN_FORMS, ids=_named)
def test_a_rating_has_its_ends_and_a_slider_its_step(form: dict[str, Any]) -> None:
    for item in _items(form):
        extensions = {each["url"].rsplit("/", 1)[1]: each for each in item.get("extension", ())}
        if item["type"] == "integer":
            assert {"minValue", "maxValue"} <= extensions.keys()
            assert extensions["minValue"]["valueInteger"] < extensions["maxValue"]["valueInteger"]
        control = extensions.get("questionnaire-itemControl", {}).get("valueCodeableConcept", {"coding": [{}]})
        if control["coding"][0].get("code") == "slider":
            assert extensions["questionnaire-sliderStepValue"]["valueInteger"] >= 1
        if "sdc-questionnaire-observationExtract" in extensions:
            assert [coding["system"] for coding in item["code"]] == [MEASURE]


def test_forms_use_what_sdc_offers() -> None:
    used = {
        extension["url"].rsplit("/", 1)[1]
        for form in OWN_FORMS
        for holder in (form, *_items(form))
        for extension in holder.get("extension", ())
    }

    assert used >= {
        "questionnaire-itemControl",
        "questionnaire-sliderStepValue",
        "questionnaire-supportLink",
        "questionnaire-unitOption",
        "sdc-questionnaire-answerKey",
        "sdc-questionnaire-definitionExtract",
        "sdc-questionnaire-calculatedExpression",
        "sdc-questionnaire-initialExpression",
        "sdc-questionnaire-launchContext",
        "sdc-questionnaire-observationExtract",
    }


def test_a_quiz_gives_a_point_for_one_answer_to_each_question() -> None:
    quizzes = [form for form in OWN_FORMS if "/quiz-" in form["url"]]

    assert len(quizzes) >= 2
    for form in quizzes:
        asked = [item for item in form["item"] if item["type"] == "choice"]
        (score,) = (item for item in form["item"] if item["linkId"] == "score")
        (key,) = form["contained"]
        assert key["questionnaire"] == library.canonical(form)
        for item, right in zip(asked, key["item"], strict=True):
            points = {
                option["valueCoding"]["code"]: option["valueCoding"]["extension"][0]["valueDecimal"]
                for option in item["answerOption"]
            }
            assert sorted(points.values()) == [0] * (len(points) - 1) + [1]
            assert points[right["answer"][0]["valueCoding"]["code"]] == 1
        assert {each["valueInteger"] for each in score["extension"] if "valueInteger" in each} == {0, len(asked)}
        assert score["readOnly"]


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("language") == "text/fhirpath":
            yield value["expression"]
        for child in value.values():
            yield from _expressions(child)
    elif isinstance(value, list):
        for child in value:
            yield from _expressions(child)


VARIABLES = ("lastSudsPre", "lastSudsPeak", "lastSudsPost", "lastMastery", "adherence", "patient", "resource")


def test_expressions_can_be_evaluated_and_use_only_what_is_supplied() -> None:
    found = sorted({expression for resource in RESOURCES for expression in _expressions(resource)})

    assert len(found) > 10
    for expression in found:
        assert set(re.findall(r"%(\w+)", expression)) <= set(VARIABLES)
        if "weight()" not in expression:  # SDC's own function
            fhirpathpy.evaluate({}, expression, {name: [] for name in VARIABLES})


@pytest.mark.parametrize("plan", PLANS, ids=_named)
def test_the_steps_of_a_plan_follow_each_other_towards_its_goals(plan: dict[str, Any]) -> None:
    goals = {goal["id"] for goal in plan["goal"]}
    before: set[str] = set()
    for action in _actions(plan):
        assert action["id"] not in before
        assert set(action["goalId"]) <= goals
        assert {each["actionId"] for each in action.get("relatedAction", ())} <= before
        assert ("definitionCanonical" in action) != ("action" in action)
        before.add(action["id"])
    assert {goal for action in _actions(plan) for goal in action["goalId"]} == goals


def test_plans_gate_steps_choose_one_way_and_say_how() -> None:
    plans = {plan["url"].rsplit("/", 1)[1]: list(_actions(plan)) for plan in PLANS}
    ladder = plans["exposure-ladder"]

    assert len(plans) >= 6
    assert ["condition" in action for action in ladder] == [False] + [True] * (len(ladder) - 1)
    assert [action.get("selectionBehavior") for action in plans["your-own-way"]] == ["exactly-one", None, None, None]


LANGUAGES = [(resource, tag) for resource in RESOURCES for tag in sorted(claimed(resource) - {"en"})]


@pytest.mark.parametrize(
    ("resource", "tag"), LANGUAGES, ids=lambda value: value if isinstance(value, str) else _named(value)
)
def test_a_language_that_is_claimed_is_complete(resource: dict[str, Any], tag: str) -> None:
    for text in texts(resource):
        translation = WORDS[tag][text]
        assert len(translation.splitlines()) == len(text.splitlines())
        assert re.findall(r"\d+(?=\.? )", translation.partition(" ")[0]) == re.findall(
            r"\d+(?=\.? )", text.partition(" ")[0]
        )
    for form in _forms_of(resource) if "relatedArtifact" in resource else ():
        assert tag in claimed(form)


def test_at_least_eight_activities_are_in_two_more_languages() -> None:
    for tag in ("es", "de"):
        assert len([activity for activity in ACTIVITIES if tag in claimed(activity)]) >= 8


def test_no_translation_is_of_a_text_that_is_no_longer_there() -> None:
    displays = {concept["display"] for system in _of("CodeSystem") for concept in system["concept"]}
    for tag, words in WORDS.items():
        said = {text for resource in RESOURCES if tag in claimed(resource) for text in texts(resource)}
        assert words.keys() - said - displays == set()


@pytest.mark.parametrize(
    "name", ["homework-activity-type", "homework-barrier", "homework-business-status", "homework-topic"]
)
def test_what_a_screen_shows_of_codes_is_in_every_language_of_the_server(name: str) -> None:
    (system,) = (each for each in _of("CodeSystem") if each["url"].endswith(f"/{name}"))
    for concept in system["concept"]:
        assert [each["language"] for each in concept["designation"]] == ["de", "es", "nl"]


@pytest.mark.parametrize("resource", [*ACTIVITIES, *OWN_FORMS, *PLANS], ids=_named)
def test_nothing_a_client_reads_blames(resource: dict[str, Any]) -> None:
    if resource["status"] == "retired":
        return
    for text in set(texts(resource)):
        assert not re.search(BLAMING["en"], text, re.IGNORECASE)
        for tag in claimed(resource) - {"en"}:
            assert not re.search(BLAMING[tag], WORDS[tag][text], re.IGNORECASE)

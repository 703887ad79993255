"""docs/library.md lists what there is, as it is."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import library
from schemas.instruments import instrument_for
from schemas.translation import claimed

PAGE = (Path(__file__).parents[3] / "docs" / "library.md").read_text()
RESOURCES = list(library.seed())
TOPIC = f"{library.BASE}/CodeSystem/homework-topic"
UNITS = {"d": "day", "wk": "week", "mo": "month"}
EXTRACT = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"


def _head(resource: dict[str, Any]) -> str:
    name = resource["url"].rsplit("/", 1)[1]
    status = "" if resource["status"] == "active" else f", {resource['status']}"
    return f"{resource['title']}<br>`{name}` {resource['version']}{status}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _of_context(resource: dict[str, Any], kind: str) -> Any:
    return next((each for each in resource.get("useContext", ()) if each["code"]["code"] == kind), {})


def _dose(activity: dict[str, Any]) -> str:
    repeat = activity["timingTiming"]["repeat"]
    minutes = f"{repeat['duration']} min"
    if "frequency" not in repeat:
        return f"once, {minutes}"
    times, period, unit = repeat["frequency"], repeat["period"], UNITS[repeat["periodUnit"]]
    return f"{times} a {unit}, {minutes}" if period == 1 else f"{times} in {period} {unit}s, {minutes}"


def _age(resource: dict[str, Any]) -> str:
    span = _of_context(resource, "age").get("valueRange", {})
    high = span.get("high", {}).get("value")
    return f"{span['low']['value']}{f' to {high}' if high else '+'}" if span else ""


def _languages(resource: dict[str, Any]) -> str:
    return _codes(sorted(claimed(resource), key=lambda tag: (tag != "en", tag)))


def _activity(activity: dict[str, Any]) -> str:
    codings = [coding for topic in activity["topic"] for coding in topic["coding"] if coding["system"] == TOPIC]
    topics = [coding["code"] for coding in codings]
    related = activity.get("relatedArtifact", ())
    forms = [
        f"`{each['resource'].rsplit('/', 1)[1].partition('|')[0]}`" for each in related if each["type"] == "depends-on"
    ]
    formats = [each["label"] for each in related if "label" in each]
    goals = _codes(topic for topic in topics if topic != "self-treatment")
    own = "yes" if "self-treatment" in topics else ""
    kind = activity["code"]["coding"][0]["code"]
    return _row(
        _head(activity),
        kind,
        goals,
        _codes(forms),
        _dose(activity),
        _age(activity),
        _codes(formats),
        _languages(activity),
        own,
    )


def _measures(parent: dict[str, Any]) -> Iterator[str]:
    for item in parent.get("item", ()):
        if any(extension["url"] == EXTRACT for extension in item.get("extension", ())):
            yield from (coding["code"] for coding in item.get("code", ()))
        yield from _measures(item)


def _form(form: dict[str, Any]) -> str:
    scored = instrument_for((coding["system"], coding["code"]) for coding in form.get("code", ()))
    return _row(_head(form), _codes(_measures(form)) if scored is None else "scores", _languages(form))


def _plan(plan: dict[str, Any]) -> str:
    steps = "; ".join(action["title"] for action in plan["action"])
    return _row(_head(plan), steps, _age(plan), _languages(plan))


def _system(system: dict[str, Any]) -> str:
    name = system["url"].rsplit("/", 1)[1]
    return _row(f"`{name}` {system['version']}", system["description"].rstrip("."))


ROWS = {
    "ActivityDefinition": _activity,
    "Questionnaire": _form,
    "PlanDefinition": _plan,
    "CodeSystem": _system,
}


def rows(type_name: str) -> list[str]:
    """The rows of the table of a type, by title."""
    return sorted(ROWS[type_name](each) for each in RESOURCES if each["resourceType"] == type_name)


@pytest.mark.parametrize(
    ("heading", "type_name"),
    [
        ("Activities", "ActivityDefinition"),
        ("Forms", "Questionnaire"),
        ("Plans", "PlanDefinition"),
        ("Code systems", "CodeSystem"),
    ],
)
def test_the_page_lists_what_the_library_has(heading: str, type_name: str) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]

    assert table[1:] == rows(type_name)

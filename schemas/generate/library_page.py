"""The tables of docs/library.md: what there is in the library, as it is.

    python -m schemas.generate.library_page

writes them anew; a test says when that is due.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas import library
from schemas.instruments import instrument_for
from schemas.translation import claimed

PAGE: Final = Path(__file__).parents[2] / "docs" / "library.md"
_TOPIC: Final = f"{library.BASE}/CodeSystem/homework-topic"
_UNITS: Final = {"d": "day", "wk": "week", "mo": "month"}
_EXTRACT: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"

Resource = Mapping[str, Any]


class Table(NamedTuple):
    """A table under a heading of the page."""

    heading: str
    type: str
    columns: str
    row: Callable[[Resource], tuple[str, ...]]


def filled(page: str) -> str:
    """The page with its tables as they are to be."""
    resources = list(library.seed())
    for table in _TABLES:
        before, heading, rest = page.partition(f"\n## {table.heading}\n")
        section, next_heading, after = rest.partition("\n## ")
        prose = "\n".join(line for line in section.splitlines() if not line.startswith("|")).strip()
        rows = sorted(_line(table.row(each)) for each in resources if each["resourceType"] == table.type)
        head = [f"| {table.columns} |", "|" + "---|" * (table.columns.count("|") + 1)]
        parts = [prose, "\n".join([*head, *rows])] if prose else ["\n".join([*head, *rows])]
        page = before + heading + "\n" + "\n\n".join(parts) + "\n" + next_heading + after
    return page


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(resource: Resource) -> str:
    status = "" if resource["status"] == "active" else f", {resource['status']}"
    return f"{resource['title']}<br>`{_name(resource['url'])}` {resource['version']}{status}"


def _name(canonical: str) -> str:
    return canonical.rsplit("/", 1)[1].partition("|")[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _activity(activity: Resource) -> tuple[str, ...]:
    codings = [coding for topic in activity["topic"] for coding in topic["coding"] if coding["system"] == _TOPIC]
    topics = [coding["code"] for coding in codings]
    related = activity.get("relatedArtifact", ())
    return (
        _head(activity),
        activity["code"]["coding"][0]["code"],
        _listed(topic for topic in topics if topic != "self-treatment"),
        _listed(f"`{_name(each['resource'])}`" for each in related if each["type"] == "depends-on"),
        _dose(activity["timingTiming"]["repeat"]),
        _age(activity),
        _listed(each["label"] for each in related if "label" in each),
        _languages(activity),
        "yes" if "self-treatment" in topics else "",
    )


def _dose(repeat: Mapping[str, Any]) -> str:
    minutes = f"{repeat['duration']} min"
    if "frequency" not in repeat:
        return f"once, {minutes}"
    times, period, unit = repeat["frequency"], repeat["period"], _UNITS[repeat["periodUnit"]]
    return f"{times} a {unit}, {minutes}" if period == 1 else f"{times} in {period} {unit}s, {minutes}"


def _age(resource: Resource) -> str:
    spans = [each["valueRange"] for each in resource.get("useContext", ()) if each["code"]["code"] == "age"]
    if not spans:
        return ""
    low, high = spans[0]["low"]["value"], spans[0].get("high", {}).get("value")
    return f"{low} to {high}" if high else f"{low}+"


def _languages(resource: Resource) -> str:
    return _listed(sorted(claimed(resource), key=lambda tag: (tag != "en", tag)))


def _form(form: Resource) -> tuple[str, ...]:
    scored = instrument_for((coding["system"], coding["code"]) for coding in form.get("code", ()))
    return _head(form), "scores" if scored else _listed(_measures(form)), _languages(form)


def _measures(parent: Mapping[str, Any]) -> Iterator[str]:
    for item in parent.get("item", ()):
        if any(extension["url"] == _EXTRACT for extension in item.get("extension", ())):
            yield from (coding["code"] for coding in item.get("code", ()))
        yield from _measures(item)


def _plan(plan: Resource) -> tuple[str, ...]:
    return _head(plan), "; ".join(action["title"] for action in plan["action"]), _age(plan), _languages(plan)


def _system(system: Resource) -> tuple[str, ...]:
    return f"`{_name(system['url'])}` {system['version']}", system["description"].rstrip(".")


_TABLES: Final = (
    Table(
        "Activities",
        "ActivityDefinition",
        "Activity | Kind | For | Form | Dose | Age | Formats | Languages | Self",
        _activity,
    ),
    Table("Forms", "Questionnaire", "Form | What becomes of it | Languages", _form),
    Table("Plans", "PlanDefinition", "Plan | Steps | Age | Languages", _plan),
    Table("Code systems", "CodeSystem", "Name | What for", _system),
)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))

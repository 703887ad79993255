"""A Questionnaire as a plain form. https://hl7.org/fhir/R4/questionnaire.html"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fhir_mappings.homework_api.element import extensions
from fhir_mappings.questionnaire.values import value_name
from schemas.homework.answers import Condition, Form, Option, Question

JsonObject = dict[str, Any]
KINDS: Final = MappingProxyType(
    {
        "string": "text",
        "text": "long-text",
        "integer": "number",
        "decimal": "decimal",
        "boolean": "yes-no",
        "date": "date",
        "dateTime": "date-time",
        "time": "time",
        "choice": "choice",
        "open-choice": "choice-or-text",
        "url": "link",
        "attachment": "file",
        "quantity": "quantity",
        "reference": "reference",
        "group": "group",
        "display": "info",
    }
)
_LIMIT: Final = "http://hl7.org/fhir/StructureDefinition/"


class Offered(NamedTuple):
    """One answer of a choice: what the API calls it, what people read, and the value[x] that it is."""

    value: str | int
    label: str
    name: str
    fhir: Any


def form(questionnaire: Mapping[str, Any]) -> Form:
    """The form that a Questionnaire is."""
    version = questionnaire.get("version")
    url = questionnaire.get("url", "")
    return Form(
        id=questionnaire["id"],
        url=f"{url}|{version}" if version else url,
        title=questionnaire.get("title") or questionnaire.get("name") or "Form",
        language=questionnaire.get("language"),
        description=questionnaire.get("description"),
        why=questionnaire.get("purpose"),
        copyright=questionnaire.get("copyright"),
        questions=_questions(questionnaire, contained(questionnaire)),
        fhir={"form": f"Questionnaire/{questionnaire['id']}"},
    )


def contained(questionnaire: Mapping[str, Any]) -> dict[str, JsonObject]:
    """The resources in a Questionnaire by the reference to them."""
    return {f"#{each.get('id')}": each for each in questionnaire.get("contained", ())}


def _questions(parent: Mapping[str, Any], held: Mapping[str, JsonObject]) -> tuple[Question, ...]:
    return tuple(_question(row, held) for row in parent.get("item", ()))


def _question(row: Mapping[str, Any], held: Mapping[str, JsonObject]) -> Question:
    conditions = tuple(map(_condition, row.get("enableWhen", ())))
    text = row.get("text")
    return Question.model_construct(
        key=row["linkId"],
        kind=KINDS[row["type"]],
        text=f"{row['prefix']} {text}" if row.get("prefix") and text else text,
        required=row.get("required", False),
        repeats=row.get("repeats", False),
        options=tuple(Option(value=each.value, label=each.label) for each in offered(row, held)) or None,
        least=limit(row, "minValue"),
        most=limit(row, "maxValue"),
        longest=row.get("maxLength"),
        unit=(limit(row, "questionnaire-unit") or {}).get("display"),
        shown_when=conditions or None,
        shown_when_any=True if len(conditions) > 1 and row.get("enableBehavior") == "any" else None,
        questions=_questions(row, held) or None,
    )


def limit(row: Mapping[str, Any], name: str) -> Any:
    """What an extension of HL7's on the item says; None where it has none."""
    for each in extensions(row, _LIMIT + name):
        value = value_name(each)
        return None if value is None else each[value]
    return None


def _condition(row: Mapping[str, Any]) -> Condition:
    name = next((each for each in row if each.startswith("answer")), "answerBoolean")
    value = row.get(name)
    if name == "answerCoding" and value is not None:
        value = value.get("code") or value.get("display")
    return Condition(question=row["question"], operator=row.get("operator", "="), value=value)


def offered(row: Mapping[str, Any], held: Mapping[str, JsonObject]) -> list[Offered]:
    """The answers that a choice offers, each with a value of its own."""
    values = list(_values(row, held))
    codes = [_plain(name, value) for name, value in values]
    return [
        Offered(plain if codes.count(plain) == 1 else _whole(value), _label(name, value), name, value)
        for (name, value), plain in zip(values, codes, strict=True)
    ]


def _values(row: Mapping[str, Any], held: Mapping[str, JsonObject]) -> Iterator[tuple[str, Any]]:
    for option in row.get("answerOption", ()):
        name = value_name(option)
        if name is not None:
            yield name, option[name]
    value_set = held.get(row.get("answerValueSet", ""), {})
    yield from (("valueCoding", each) for each in _expanded(value_set.get("expansion", {}).get("contains", ())))
    if "expansion" not in value_set:
        for part in value_set.get("compose", {}).get("include", ()):
            for each in part.get("concept", ()):
                yield (
                    "valueCoding",
                    {key: value for key, value in (("system", part.get("system")), *each.items()) if value},
                )


def _expanded(rows: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for each in rows:
        if "code" in each and not each.get("abstract", False):
            yield {key: each[key] for key in ("system", "version", "code", "display") if key in each}
        yield from _expanded(each.get("contains", ()))


def _plain(name: str, value: Any) -> Any:
    if name == "valueCoding":
        return value.get("code") or value.get("display", "")
    return value.get("reference", "") if name == "valueReference" else value


def _whole(value: Any) -> str:
    return f"{value.get('system', '')}|{value.get('code', '')}" if isinstance(value, dict) else str(value)


def _label(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("display") or value.get("code") or value.get("reference", ""))
    return str(value)

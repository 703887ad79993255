"""When and where a client means to do their homework, and what it is in their own words. https://hl7.org/fhir/R4/task.html

A plan of when and where is what makes it likely that something is done; saying it in one's own words shows what was understood.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_mappings.homework_api import dose as doses
from fhir_mappings.homework_api.element import role
from schemas.homework import vocabulary
from schemas.homework.assignments import Intending, Intention

JsonObject = dict[str, Any]
_IO: Final = vocabulary.system("task-io")


def intention(task: Mapping[str, Any]) -> Intention | None:
    """What the Task's inputs `schedule` and `setting` and its output `teach-back` say."""
    inputs, outputs = task.get("input", ()), task.get("output", ())
    words = _entry(outputs, "teach-back")
    found = {
        **doses.said_moments(_entry(inputs, "schedule").get("valueTiming", {}).get("repeat", {})),
        "where": _entry(inputs, "setting").get("valueString"),
        "in_own_words": words.get("valueMarkdown") or words.get("valueString"),
    }
    return Intention.model_construct(**found) if any(found.values()) else None


def _entry(entries: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((each for each in entries if role(each, _IO) == name), {})


def intended(task: JsonObject, said: Intending) -> JsonObject:
    """The Task with what the client says; what is left out stays as it was."""
    moments = doses.moments(said)
    inputs = task.get("input", [])
    inputs = _with(inputs, "schedule", {"valueTiming": {"repeat": moments}} if moments else None)
    inputs = _with(inputs, "setting", None if said.where is None else {"valueString": said.where})
    words = None if said.in_own_words is None else {"valueMarkdown": said.in_own_words}
    outputs = _with(task.get("output", []), "teach-back", words)
    return {**task, **({"input": inputs} if inputs else {}), **({"output": outputs} if outputs else {})}


def _with(entries: list[JsonObject], name: str, value: JsonObject | None) -> list[JsonObject]:
    if value is None:
        return entries
    kind = {"coding": [{"system": _IO, "code": name}]}
    return [*(each for each in entries if role(each, _IO) != name), {"type": kind, **value}]

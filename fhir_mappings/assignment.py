"""Which Task a response answers, and the Task completed by it. https://hl7.org/fhir/uv/sdc/workflow.html"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fhir_mappings.occurrence import made_until
from schemas import dates, references

OPEN: Final = frozenset(["requested", "received", "accepted", "ready", "in-progress", "on-hold"])
"""The states of a Task that an answer can complete; a draft is not yet the client's to see."""
_SDC: Final = "http://hl7.org/fhir/uv/sdc/CodeSystem/temp"
_CPG: Final = {"system": "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs", "code": "collect-information"}


def form_type(sdc_code: str) -> dict[str, Any]:
    """A Task code or input or output type in both vocabularies for forms, SDC's and CPG's."""
    return {"coding": [{"system": _SDC, "code": sdc_code}, dict(_CPG)]}


def matches(task: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Whether this Task is open, asks for the response's questionnaire and subject, and the response belongs to it.

    It belongs to it when both are based on the same request or plan, or when the Task already lists the response as its
    output (a saved draft). Versions count where both name one: an app that answers without saying a version answers
    what it was asked. The head of a series is done by its parts, never by one answer.
    """
    return (
        task.get("status") in OPEN
        and made_until(task) is None
        and any(_same_canonical(asked, response.get("questionnaire", "")) for asked in asked_for(task))
        and _same_subject(task, response)
        and (_lists(task, response) or _shares_request(task, response))
    )


def asked_for(task: Mapping[str, Any]) -> Iterator[str]:
    """The canonicals of the questionnaires that a Task asks for."""
    for row in task.get("input", ()):
        if "valueCanonical" in row:
            yield row["valueCanonical"]


def answered_task(tasks: Iterable[Mapping[str, Any]], response: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of all Tasks, the one that this response answers: its draft's, else the one whose window it falls into.

    The occurrences of a series share their request with each other and with the series' head, so several may match: an
    occurrence wins over the head, a Task begun over one not begun, and the earliest due over later ones.
    """
    return min(
        (task for task in tasks if matches(task, response)), key=lambda task: _rank(task, response), default=None
    )


def _rank(task: Mapping[str, Any], response: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        not _lists(task, response),
        not _in_window(task, response),
        "partOf" not in task,
        task["status"] != "in-progress",
        _window(task).hi,
        task.get("id", ""),
    )


def complete_task(task: Mapping[str, Any], response_reference: str, *, now: str) -> dict[str, Any]:
    """The Task completed by this response, everything else as it was; unchanged if it was completed by it before.

    A statusReason goes: it gives the reason of the status that the Task had (a pause), not of this one.
    """
    output = list(task.get("output", ()))
    listed = any(_key(row.get("valueReference", {})) == _key({"reference": response_reference}) for row in output)
    if listed and task["status"] == "completed":
        return dict(task)
    if not listed:
        row = {"type": form_type("questionnaire-response"), "valueReference": {"reference": response_reference}}
        output.append(row)
    period = {"start": now, **task.get("executionPeriod", {}), "end": now}
    kept = {name: value for name, value in task.items() if name != "statusReason"}
    return {**kept, "status": "completed", "executionPeriod": period, "lastModified": now, "output": output}


def _same_canonical(asked: str, answered: str) -> bool:
    url, _, version = asked.partition("|")
    other_url, _, other_version = answered.partition("|")
    return url == other_url and (version == other_version or not version or not other_version)


def _same_subject(task: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    whose, subject = _key(task.get("for", {})), _key(response.get("subject", {}))
    return whose is None or subject is None or whose == subject


def _lists(task: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    mine = ("QuestionnaireResponse", response.get("id"))
    return any(_key(row.get("valueReference", {})) == mine for row in task.get("output", ()))


def _shares_request(task: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    requests = {_key(reference) for reference in task.get("basedOn", ())} - {None}
    return any(_key(reference) in requests for reference in response.get("basedOn", ()))


def _key(reference: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What two references to the same resource share: type and id, whatever version they name; else their text."""
    text = reference.get("reference")
    if text is None:
        return None
    literal = references.literal(text)
    if literal is None:
        return (text,)
    return (literal.type, literal.id) if literal.base is None else (literal.base, literal.type, literal.id)


def _window(task: Mapping[str, Any]) -> dates.Interval:
    period = task.get("restriction", {}).get("period", {})
    return dates.period(period.get("start"), period.get("end"))


def _in_window(task: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    authored = response.get("authored")
    window = _window(task)
    return authored is not None and window.lo <= dates.interval(authored).lo < window.hi

"""ActivityDefinition/$apply: a definition made a request for somebody. https://hl7.org/fhir/R4/activitydefinition.html#12.16.4

What a request says by itself is as in `prescription`; then come timing and place of the definition, and last its dynamic
values, those of the action of a plan after its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fhir_mappings import placing, prescription
from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, evaluate, text_of
from fhir_mappings.placing import PlacingFault
from fhir_mappings.prescription import Assignment
from schemas.library import localised

JsonObject = dict[str, Any]
PERTAINS_TO_GOAL: Final = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
KINDS: Final = ("Task", "ServiceRequest", "CommunicationRequest")
_INTENTS: Final = ("proposal", "plan", "order", "option")
_PATIENT: Final = "patient"


class ApplyFault(ValueError):
    """A definition that cannot be applied: where (FHIRPath) and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


@dataclass(frozen=True, slots=True)
class Setting:
    """For whom and by whom something is applied, and with what intent; references as `Type/id`."""

    subject: str
    env: Environment
    now: str
    ids: Callable[[], str]
    intent: str = "proposal"
    practitioner: str | None = None
    organization: str | None = None
    encounter: str | None = None
    language: str | None = None
    focus: Mapping[str, Any] | None = None
    """The subject's resource."""

    @property
    def is_settled(self) -> bool:
        """Whether what is made is to be done, not only proposed."""
        return self.intent == "order"

    @property
    def requester(self) -> str | None:
        return self.practitioner or self.organization


@dataclass(frozen=True, slots=True)
class Made:
    """What one definition becomes: the request, and the Task that asks the client where the request is no Task itself."""

    request: JsonObject
    task: JsonObject | None = None


def assignment_of(definition: Mapping[str, Any], setting: Setting) -> Assignment:
    """The definition as something to be assigned from today on, in the language wanted."""
    known = localised(definition, setting.language) if setting.language else dict(definition)
    title = known.get("title") or known.get("name") or known.get("url") or "Assignment"
    activity = {"title": title, "code": {"text": title}, **known}
    activity["code"] = {**activity["code"], "coding": list(activity["code"].get("coding", ()))}
    if "version" not in activity:
        activity.pop("url", None)  # `prescription` names what has a version
    today = setting.now[:10]
    return Assignment(setting.subject, setting.requester or "", activity, today, None, setting.now)


def activity(definition: Mapping[str, Any], setting: Setting, where: str = "ActivityDefinition") -> Made:
    """The request (and Task) of a definition. Raises ApplyFault; nothing else of the definition is said to be wrong."""
    kind = definition.get("kind", "Task")
    if kind not in KINDS:
        raise ApplyFault(f"{where}.kind", f"A definition of kind {kind} is not applied here, only {', '.join(KINDS)}")
    assignment = assignment_of(definition, setting)
    made = _MADE[kind](assignment, setting)
    made = Made(
        _common(made.request, definition, setting),
        None if made.task is None else _common(made.task, definition, setting),
    )
    made = _timed(made, definition)
    return dynamic(made, definition.get("dynamicValue", ()), setting, where)


def _task(assignment: Assignment, setting: Setting) -> Made:
    body = prescription.task(assignment, "")
    del body["basedOn"]
    return Made(body)


def _service_request(assignment: Assignment, setting: Setting) -> Made:
    return Made(prescription.service_request(assignment), prescription.task(assignment, ""))


def _communication_request(assignment: Assignment, setting: Setting) -> Made:
    activity = assignment.activity
    text = activity.get("usage") or activity.get("description") or activity["title"]
    return Made(
        {
            "resourceType": "CommunicationRequest",
            "meta": prescription.task(assignment, "")["meta"],
            "status": "active",
            "category": [_without_empty(activity["code"])],
            "subject": {"reference": setting.subject},
            "payload": [{"contentString": text}],
            "authoredOn": setting.now,
            "requester": {"reference": assignment.practitioner},
            "recipient": [{"reference": setting.subject}],
        }
    )


_MADE: Final[Mapping[str, Callable[[Assignment, Setting], Made]]] = {
    "Task": _task,
    "ServiceRequest": _service_request,
    "CommunicationRequest": _communication_request,
}


def _common(body: JsonObject, definition: Mapping[str, Any], setting: Setting) -> JsonObject:
    """Status and intent, who asks and who does, where and with which priority."""
    kind = body["resourceType"]
    body["code" if kind != "CommunicationRequest" else "category"] = _coded(body)
    if "url" in definition and "version" not in definition and kind != "CommunicationRequest":
        url = definition["url"]
        body["instantiatesCanonical"] = url if kind == "Task" else [url]
    if not setting.is_settled:
        body["status"] = "draft"
        body.pop("businessStatus", None)
    if kind != "CommunicationRequest":
        body["intent"] = setting.intent
    if setting.requester is None:
        body.pop("requester", None)
    if setting.encounter is not None:
        body["encounter"] = {"reference": setting.encounter}
    if "priority" in definition:
        body["priority"] = definition["priority"]
    if "doNotPerform" in definition and kind != "Task":
        body["doNotPerform"] = definition["doNotPerform"]
    _placed(body, definition)
    _performed(body, definition, setting)
    return body


def _coded(body: Mapping[str, Any]) -> Any:
    if body["resourceType"] == "CommunicationRequest":
        return body["category"]
    return _without_empty(body["code"])


def _without_empty(concept: Mapping[str, Any]) -> JsonObject:
    return {name: value for name, value in concept.items() if value}


def _placed(body: JsonObject, definition: Mapping[str, Any]) -> None:
    """Where it is done, at what, and how much, of a ServiceRequest and, as far as it can say it, a Task."""
    kind = body["resourceType"]
    if "location" in definition and kind == "Task":
        body["location"] = definition["location"]
    if kind != "ServiceRequest":
        return
    if "location" in definition:
        body["locationReference"] = [definition["location"]]
    if "bodySite" in definition:
        body["bodySite"] = list(definition["bodySite"])
    if "quantity" in definition:
        body["quantityQuantity"] = definition["quantity"]


def _performed(body: JsonObject, definition: Mapping[str, Any], setting: Setting) -> None:
    """Who does it: the client, unless the definition names only others; a Group cannot, its members do."""
    kinds = [each.get("type") for each in definition.get("participant", ())]
    by = setting.subject if _PATIENT in kinds or not kinds else None
    by = setting.practitioner if by is None and "practitioner" in kinds else by
    if by is not None and by.startswith("Group/"):
        by = None
    owner, performer = {"Task": ("owner", None), "ServiceRequest": (None, "performer")}.get(
        body["resourceType"], (None, None)
    )
    if owner is not None:
        body.pop(owner, None)
        body |= {owner: {"reference": by}} if by is not None else {}
    if performer is not None:
        body.pop(performer, None)
        body |= {performer: [{"reference": by}]} if by is not None else {}


def _timed(made: Made, definition: Mapping[str, Any]) -> Made:
    """A time that is no repeated one: a day or a period."""
    moment, period = definition.get("timingDateTime"), definition.get("timingPeriod")
    span = period or ({"start": moment, "end": moment} if moment else None)
    if span is None:
        return made
    request = dict(made.request)
    if request["resourceType"] == "Task":
        request["restriction"] = {**request.get("restriction", {}), "period": span}
    else:
        request = {name: value for name, value in request.items() if not name.startswith("occurrence")}
        request |= {"occurrencePeriod": period} if period else {"occurrenceDateTime": moment}
    task = made.task and {**made.task, "restriction": {"period": span}}
    return Made(request, task)


def dynamic(
    made: Made,
    values: Iterable[Mapping[str, Any]],
    setting: Setting,
    where: str,
    action: JsonObject | None = None,
) -> Made:
    """The dynamic values put in their places, in their order; `action` is the RequestGroup.action it is part of.

    A path is about the request; where that has no such element, about its Task and the action; one that begins with
    `%action.` is about the action.
    """
    for number, said in enumerate(values):
        place = f"{where}.dynamicValue[{number}]"
        path = str(said.get("path", ""))
        found = _found(said, made, setting, place)
        try:
            made = _put(made, action, path, found)
        except PlacingFault as fault:
            raise ApplyFault(f"{place}.path", str(fault)) from fault
    return made


def _found(said: Mapping[str, Any], made: Made, setting: Setting, place: str) -> list[Value]:
    """What an expression gives. Its context is the subject; %resource is the request as it is so far."""
    env = setting.env.with_variables(resource=made.request, rootResource=made.request)
    where = f"{place}.expression"
    try:
        return evaluate(text_of(said.get("expression", {}), where), setting.focus or [], env, where)
    except ExpressionFault as fault:
        raise ApplyFault(fault.where, str(fault)) from fault


def _put(made: Made, action: JsonObject | None, path: str, values: Sequence[Value]) -> Made:
    for prefix in ("%action.", "action."):
        if path.startswith(prefix) and action is not None:
            _put_in_action(action, path.removeprefix(prefix), values)
            return made
    path = path.removeprefix("%resource.").removeprefix("$this.")
    request, task = made.request, made.task
    if placing.has(request["resourceType"], path.removeprefix(request["resourceType"] + ".")):
        return replace(made, request=placing.placed(request, path, values))
    in_task = task is not None and placing.has("Task", path)
    in_action = action is not None and placing.has("RequestGroup.action", path)
    if in_action and action is not None:
        _put_in_action(action, path, values)
    if in_task and task is not None:
        return replace(made, task=placing.placed(task, path, values))
    if not in_action:
        raise PlacingFault(f"{request['resourceType']} has no element {path[:100]!r}")
    return made


def _put_in_action(action: JsonObject, path: str, values: Sequence[Value]) -> None:
    if values:
        placing.put(action, "RequestGroup.action", placing.read(path), values)


def for_goals(body: JsonObject, goals: Iterable[str]) -> JsonObject:
    """A request that says which goals it is for."""
    said = [{"url": PERTAINS_TO_GOAL, "valueReference": {"reference": goal}} for goal in goals]
    return {**body, "extension": [*body.get("extension", ()), *said]} if said else body


def entry(url: str, resource: Mapping[str, Any]) -> JsonObject:
    """An entry of a transaction that creates a resource."""
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def transaction(entries: Iterable[JsonObject]) -> JsonObject:
    """A transaction Bundle of entries."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def entries(made: Made, setting: Setting) -> list[JsonObject]:
    """What was made, as entries: the request first, then its Task, based on it."""
    url = f"urn:uuid:{setting.ids()}"
    found = [entry(url, made.request)]
    if made.task is not None:
        based = {**made.task, "basedOn": [{"reference": url}]}
        found.append(entry(f"urn:uuid:{setting.ids()}", based))
    return found

"""PlanDefinition/$apply: a plan made a CarePlan with a RequestGroup for somebody. https://hl7.org/fhir/R4/plandefinition.html#12.18.5

Actions that are applicable become actions of the RequestGroup, each with the request that its definition becomes; those
that are not are left out, with what refers to them. What one chooses among stays together with its behaviours, and the
requests to choose from have the intent `option` until somebody chooses.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fhir_mappings import prescription
from fhir_mappings.apply import ApplyFault, Made, Setting, activity, dynamic, entry, for_goals, transaction
from fhir_mappings.assignment import form_type
from fhir_mappings.fhirpath import ExpressionFault, holds, text_of
from fhir_mappings.observation import DEFAULT_LABELS
from schemas.library import localised

JsonObject = dict[str, Any]
DEEPEST: Final = 5
"""Plans within plans."""
_SAID: Final = (
    "id", "prefix", "title", "description", "textEquivalent", "priority", "code", "documentation", "type",
    "groupingBehavior", "selectionBehavior", "requiredBehavior", "precheckBehavior", "cardinalityBehavior",
)  # fmt: skip
"""What an action of a RequestGroup has of the action of a plan as it is; also its timing."""
_CHOICES: Final = frozenset(("any", "exactly-one", "at-most-one", "one-or-more"))
_LIFECYCLE: Final = {"order": "active", "plan": "planned", "proposal": "proposed", "option": "proposed"}
_PARTICIPANTS: Final = ("patient", "practitioner")


@dataclass(slots=True)
class _Result:
    """What a plan becomes, while it is gone through; `goals` by the goal's id in the plan."""

    goals: dict[str, tuple[str, JsonObject]] = field(default_factory=dict)
    requests: list[tuple[str, Made]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a plan becomes: each part with the urn that the others refer to it by."""

    plan: tuple[str, JsonObject]
    group: tuple[str, JsonObject]
    goals: tuple[tuple[str, JsonObject], ...]
    requests: tuple[tuple[str, Made], ...]


def plan(definition: Mapping[str, Any], setting: Setting, definitions: Mapping[str, Mapping[str, Any]]) -> Applied:
    """What a plan becomes; `definitions` are those that its actions name, by their canonicals as written.

    Raises ApplyFault.
    """
    known = localised(definition, setting.language) if setting.language else dict(definition)
    result = _Result()
    for goal in known.get("goal", ()):
        result.goals[goal.get("id", str(len(result.goals)))] = (_urn(setting), _goal(goal, setting))
    actions = _Actions(setting, definitions, result).of(known, "PlanDefinition", 0, setting.intent)
    kept = {each["id"] for each in _every(actions) if "id" in each}
    for each in _every(actions):
        _drop_absent(each, kept)
    group = (_urn(setting), _request_group(known, actions, setting))
    care_plan = _care_plan(known, setting, [url for url, _ in result.goals.values()])
    return Applied((_urn(setting), care_plan), group, tuple(result.goals.values()), tuple(result.requests))


def _urn(setting: Setting) -> str:
    return f"urn:uuid:{setting.ids()}"


def _every(actions: Iterable[JsonObject]) -> Iterator[JsonObject]:
    for action in actions:
        yield action
        yield from _every(action.get("action", ()))


def _drop_absent(action: JsonObject, kept: set[str]) -> None:
    related = [each for each in action.pop("relatedAction", ()) if each["actionId"] in kept]
    if related:
        action["relatedAction"] = related


@dataclass(frozen=True, slots=True)
class _Actions:
    setting: Setting
    definitions: Mapping[str, Mapping[str, Any]]
    result: _Result

    def of(self, parent: Mapping[str, Any], where: str, depth: int, intent: str) -> list[JsonObject]:
        """The applicable actions of a plan or an action."""
        if depth > DEEPEST:
            raise ApplyFault(where, f"Plans are applied {DEEPEST} deep within each other, not deeper")
        found = []
        for number, action in enumerate(parent.get("action", ())):
            here = f"{where}.action[{number}]"
            if self.is_applicable(action, here):
                found.append(self.one(action, here, depth, intent))
        # rqg-1: a group of which nothing is applicable is no action.
        return [each for each in found if "resource" in each or "action" in each]

    def is_applicable(self, action: Mapping[str, Any], where: str) -> bool:
        for number, condition in enumerate(action.get("condition", ())):
            if condition.get("kind") != "applicability":
                continue
            place = f"{where}.condition[{number}].expression"
            try:
                text = text_of(condition.get("expression", {}), place)
                if not holds(text, self.setting.focus or [], self.setting.env, place):
                    return False
            except ExpressionFault as fault:
                raise ApplyFault(fault.where, str(fault)) from fault
        return True

    def one(self, action: Mapping[str, Any], where: str, depth: int, intent: str) -> JsonObject:
        made: JsonObject = {name: action[name] for name in _SAID if name in action}
        made |= {name: value for name, value in action.items() if name.startswith("timing")}
        # Start and stop conditions are for whoever does it; applicability was decided.
        later = [each for each in action.get("condition", ()) if each.get("kind") != "applicability"]
        made |= {"condition": later} if later else {}
        made |= {"relatedAction": list(action["relatedAction"])} if action.get("relatedAction") else {}
        made |= self.participants(action)
        inner = "option" if action.get("selectionBehavior") in _CHOICES else intent
        below = self.of(action, where, depth, inner)
        definition = self.definition(action, where)
        if definition is not None and definition["resourceType"] == "PlanDefinition":
            below += self.of(localised_by(definition, self.setting), f"{where}.definition", depth + 1, inner)
        if "action" in action or (definition or {}).get("resourceType") == "PlanDefinition":
            own = [{**each, "path": f"%action.{each.get('path', '')}"} for each in action.get("dynamicValue", ())]
            dynamic(Made({"resourceType": "RequestGroup"}), own, self.setting, where, made)
        else:
            self.request(action, definition or _step(action), made, where, intent)
        return made | ({"action": below} if below else {})

    def participants(self, action: Mapping[str, Any]) -> JsonObject:
        people = {"patient": self.setting.subject, "practitioner": self.setting.practitioner}
        kinds = [each.get("type") for each in action.get("participant", ())]
        found = [{"reference": people[kind]} for kind in _PARTICIPANTS if kind in kinds and people[kind]]
        found = [each for each in found if not str(each["reference"]).startswith("Group/")]
        return {"participant": found} if found else {}

    def definition(self, action: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
        canonical = action.get("definitionCanonical")
        if canonical is None:
            return None
        found = self.definitions.get(canonical)
        if found is None:
            raise ApplyFault(f"{where}.definitionCanonical", f"No definition {canonical} is held here")
        return found

    def request(
        self, action: Mapping[str, Any], definition: Mapping[str, Any], made: JsonObject, where: str, intent: str
    ) -> None:
        """Make the request of an action and let the action refer to it."""
        setting = replace(self.setting, intent=intent)
        known = _form_task(definition) if definition["resourceType"] == "Questionnaire" else dict(definition)
        # The action's own time and words go before those of the definition.
        timing = {name: value for name, value in action.items() if name.startswith("timing")}
        if timing:
            known = {name: value for name, value in known.items() if not name.startswith("timing")} | timing
        own = {name: action[name] for name in ("priority", "description") if name in action}
        known = {name: value for name, value in known.items() if name.removeprefix("_") not in own} | own
        request = activity(known, setting, f"{where}.definition")
        request = dynamic(request, action.get("dynamicValue", ()), setting, where, made)
        goals = [self.result.goals[each][0] for each in action.get("goalId", ()) if each in self.result.goals]
        request = Made(for_goals(request.request, goals), request.task)
        if intent == "option" and "intent" in request.request:  # there is nothing to do before it is chosen
            request = Made({**request.request, "intent": "option", "status": "draft"})
        url = _urn(setting)
        made["resource"] = {"reference": url}
        self.result.requests.append((url, request))


def localised_by(definition: Mapping[str, Any], setting: Setting) -> Mapping[str, Any]:
    """A definition in the language wanted."""
    return localised(definition, setting.language) if setting.language else definition


def _step(action: Mapping[str, Any]) -> JsonObject:
    """An activity for an action without a definition: what it says by itself is to be done."""
    title = action.get("title") or action.get("textEquivalent") or action.get("description") or "Step"
    body = {"resourceType": "ActivityDefinition", "kind": "Task", "title": title}
    body |= {"description": action["description"]} if "description" in action else {}
    return body | ({"code": action["code"][0]} if action.get("code") else {})


def _form_task(form: Mapping[str, Any]) -> JsonObject:
    """An activity for an action whose definition is a form: fill it in."""
    url, version = form.get("url", ""), form.get("version")
    resource = f"{url}|{version}" if version else url
    return {
        "resourceType": "ActivityDefinition",
        "kind": "Task",
        "title": form.get("title") or form.get("name") or url,
        "code": form_type("complete-questionnaire"),
        "relatedArtifact": [{"type": "depends-on", "resource": resource}],
    }


def _goal(goal: Mapping[str, Any], setting: Setting) -> JsonObject:
    body: JsonObject = {
        "resourceType": "Goal",
        "meta": {"security": list(DEFAULT_LABELS)},
        "lifecycleStatus": _LIFECYCLE[setting.intent],
    }
    if "category" in goal:
        body["category"] = [goal["category"]]
    if "priority" in goal:
        body["priority"] = goal["priority"]
    body |= {"description": goal["description"], "subject": {"reference": setting.subject}}
    if "start" in goal:
        body["startCodeableConcept"] = goal["start"]
    else:
        body["startDate"] = setting.now[:10]
    targets = [_target(each) for each in goal.get("target", ())]
    return body | ({"target": targets} if targets else {})


def _target(target: Mapping[str, Any]) -> JsonObject:
    found = {name: value for name, value in target.items() if name != "due"}
    return found | ({"dueDuration": target["due"]} if "due" in target else {})


def _request_group(definition: Mapping[str, Any], actions: list[JsonObject], setting: Setting) -> JsonObject:
    body: JsonObject = {
        "resourceType": "RequestGroup",
        "meta": {"security": list(DEFAULT_LABELS)},
        **_instantiates(definition),
        "status": "active" if setting.is_settled else "draft",
        "intent": setting.intent,
        "subject": {"reference": setting.subject},
    }
    body |= {"encounter": {"reference": setting.encounter}} if setting.encounter else {}
    body["authoredOn"] = setting.now
    body |= {"author": {"reference": setting.practitioner}} if setting.practitioner else {}
    return body | ({"action": actions} if actions else {})


def _instantiates(definition: Mapping[str, Any]) -> JsonObject:
    if "url" not in definition:
        return {}
    version = definition.get("version")
    return {"instantiatesCanonical": [f"{definition['url']}|{version}" if version else definition["url"]]}


def _care_plan(definition: Mapping[str, Any], setting: Setting, goals: list[str]) -> JsonObject:
    title = definition.get("title") or definition.get("name") or "Plan"
    assignment = prescription.Assignment(
        setting.subject, setting.requester or "", {}, setting.now[:10], None, setting.now
    )
    body = prescription.care_plan(assignment, "")
    del body["activity"]
    body |= {"title": title, **_instantiates(definition)}
    if not setting.is_settled:
        body |= {"status": "draft", "intent": setting.intent}
    if "description" in definition:
        body["description"] = definition["description"]
    if setting.requester is None:
        del body["author"]
    body |= {"encounter": {"reference": setting.encounter}} if setting.encounter else {}
    return body | ({"goal": [{"reference": each} for each in goals]} if goals else {})


def contained(applied: Applied) -> JsonObject:
    """The CarePlan with everything in it, as R4's $apply returns it: one activity, the RequestGroup."""
    names: dict[str, str] = {applied.group[0]: "request-group"}
    names |= {url: f"goal-{number}" for number, (url, _) in enumerate(applied.goals, 1)}
    names |= {url: f"request-{number}" for number, (url, _) in enumerate(applied.requests, 1)}
    parts = [applied.group, *applied.goals, *((url, made.request) for url, made in applied.requests)]
    bodies = [{"resourceType": body["resourceType"], "id": names[url], **_inside(body, names)} for url, body in parts]
    care_plan = _renamed(applied.plan[1], names)
    made: JsonObject = {"resourceType": "CarePlan", "contained": bodies, **care_plan}
    return {**made, "activity": [{"reference": {"reference": "#request-group"}}]}


def _inside(body: Mapping[str, Any], names: Mapping[str, str]) -> JsonObject:
    """A resource within another: it has no labels of its own (dom-5), those of the outer one hold."""
    found: JsonObject = _renamed({name: value for name, value in body.items() if name != "meta"}, names)
    return found


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: f"#{names[value]}" if key == "reference" and value in names else _renamed(value, names)
            for key, value in node.items()
        }
    return [_renamed(each, names) for each in node] if isinstance(node, list) else node


def bundled(applied: Applied, setting: Setting) -> JsonObject:
    """The same as a transaction: CarePlan, RequestGroup, Goals, requests, and a Task for each that is to be done."""
    listed = [applied.group[0], *(url for url, made in applied.requests if made.request.get("intent") != "option")]
    activities = [{"reference": {"reference": url}} for url in listed]
    care_plan = {**applied.plan[1], "activity": activities}
    found = [entry(applied.plan[0], care_plan), entry(*applied.group)]
    found += [entry(url, body) for url, body in applied.goals]
    for url, made in applied.requests:
        found.append(entry(url, made.request))
        if made.task is not None:
            found.append(entry(_urn(setting), {**made.task, "basedOn": [{"reference": url}]}))
    return transaction(found)


def canonicals(definition: Mapping[str, Any]) -> Iterator[str]:
    """The definitions that the actions of a plan name, at any depth."""
    for action in definition.get("action", ()):
        if "definitionCanonical" in action:
            yield action["definitionCanonical"]
        yield from canonicals(action)

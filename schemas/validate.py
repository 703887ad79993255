"""R4 validation of one resource: every fault, each with its place. https://hl7.org/fhir/R4/validation.html"""

from functools import cache
from typing import Any

from schemas.nearest import did_you_mean
from schemas.outcome import Issue
from schemas.registry import REGISTRY
from schemas.validation.compile import Compiler
from schemas.validation.faults import Fault
from schemas.validation.targets import is_conditional


@cache
def _compiler(entries: bool) -> Compiler:
    return Compiler(entries=entries)


def validate(
    resource: Any, type_name: str | None = None, *, entries: bool = True, conditional: bool = False
) -> list[Issue]:
    """Every fault of `resource`; none when it is valid R4 and, if said, of type `type_name`.

    `entries=False` leaves the resources inside of a Bundle's entries unjudged, for who judges them one by one;
    `conditional` allows references by search, which a transaction resolves.
    """
    if not isinstance(resource, dict):
        return [Issue("error", "structure", "A resource is a JSON object", (), "wrong-type")]
    name = resource.get("resourceType")
    if not isinstance(name, str):
        return [Issue("error", "structure", "A resource needs a resourceType", (), "missing-resource-type")]
    if type_name is not None and name != type_name:
        text = f"This must be a {type_name}"
        return [Issue("error", "structure", text, (f"{type_name}.resourceType",), "wrong-resource-type")]
    if name not in REGISTRY.types:
        return [_unserved(name)]
    faults = _compiler(entries).resource(name)(resource)
    # A stored Bundle may be a transaction that is still to be sent.
    waiting = conditional or name == "Bundle"
    return [_issue(name, fault) for fault in faults if not (waiting and is_conditional(fault))]


def _unserved(name: str) -> Issue:
    if name in REGISTRY.names:
        return Issue("error", "not-supported", f"{name} is not served here", (name,), "unsupported-type")
    text = f"R4 has no resource type of this name.{did_you_mean(name, REGISTRY.types)}"
    return Issue("error", "structure", text, (), "unknown-type")


def _issue(name: str, fault: Fault) -> Issue:
    return Issue("error", fault.code, fault.text, (name + fault.path,), fault.details)

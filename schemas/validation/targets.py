"""What a Reference may point at. https://hl7.org/fhir/R4/references.html"""

import re
from collections.abc import Iterable
from typing import Any, Final

from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY
from schemas.validation.faults import OK, Check, Fault, Faults

_LITERAL: Final = re.compile(
    r"(?P<base>[A-Za-z][A-Za-z0-9+.-]*://[^?#\s]+/)?(?P<type>[A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?"
)
_CONDITIONAL: Final = re.compile(r"(?P<type>[A-Za-z]+)\?.+", re.DOTALL)
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_IS_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_PROFILES: Final = "http://hl7.org/fhir/StructureDefinition/"


def reference_check(structure: Check, targets: tuple[str, ...]) -> Check:
    """A check of a Reference to one of `targets`, or to any type when there are none."""
    allowed = frozenset(targets) or REGISTRY.names

    def check(value: Any) -> Faults:
        faults = structure(value)
        if type(value) is not dict:
            return faults
        text = value.get("reference")
        if type(text) is str:
            head, slash, rest = text.partition("/")
            if not (slash and head in allowed and _IS_ID(rest)):
                faults += _literal_faults(text, allowed)
        if "type" in value:
            faults += _type_faults(value, allowed)
        return faults

    return check


def _fault(details: str, text: str, path: str = ".reference", local: str | None = None) -> Faults:
    return (Fault("value", details, text, path, local),)


def _literal_faults(text: str, allowed: Iterable[str]) -> Faults:
    if text.startswith("#"):
        says = "A reference to #id needs a contained resource with that id"
        return (Fault("invariant", "ref-1", says, ".reference", text[1:]),)
    search = _CONDITIONAL.fullmatch(text)
    match = search or _LITERAL.fullmatch(text)
    if match is None:
        if not text or any(letter.isspace() for letter in text) or not _ABSOLUTE.fullmatch(text):
            return _fault("reference-format", "Write a reference as Type/id, an absolute URL, urn:uuid:… or #id")
        return OK
    found = match["type"]
    if found in allowed:
        return (
            OK
            if search is None
            else _fault("reference-conditional", "A reference by search is resolved only within a transaction")
        )
    if found not in REGISTRY.names:
        if match.groupdict().get("base"):
            return OK  # An address of some other kind of server, which need not follow FHIR's form.
        return _fault("unknown-type", f"R4 has no resource type of this name.{did_you_mean(found, allowed)}")
    return _target_fault(allowed, ".reference")


def is_conditional(fault: Fault) -> bool:
    """Whether the fault is a reference by search, which is none where it is going to be resolved."""
    return fault.details == "reference-conditional"


def _target_fault(allowed: Iterable[str], path: str) -> Faults:
    return _fault("reference-target", f"This may refer to {' or '.join(sorted(allowed))} only", path)


def _type_faults(value: dict[str, Any], allowed: Iterable[str]) -> Faults:
    named = value["type"]
    if type(named) is not str:
        return OK  # The structure's check has said so.
    named = named.removeprefix(_PROFILES)
    if named in REGISTRY.names and named not in allowed:
        return _target_fault(allowed, ".type")
    match = _LITERAL.fullmatch(str(value.get("reference", "")))
    if match and match["type"] in REGISTRY.names and named in REGISTRY.names and match["type"] != named:
        return _fault("reference-type", "Reference.type must name the type that the reference points at", ".type")
    return OK


def resolved(faults: Faults, contained: Iterable[str]) -> Faults:
    """`faults` without the references to `contained` ids, which the root has found."""
    known = {"", *contained}
    return tuple(fault for fault in faults if fault.local is None or fault.local not in known)

"""Sensitivity labels (`meta.security`) that hide a resource from whoever is not cleared for them.

https://hl7.org/fhir/R4/security-labels.html
The index row of a resource with such a label carries one token for it, whatever the type and however its system is
written, so that one short array says what is hidden from a caller. A deletion keeps these tokens: what was hidden stays so.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas import tokens
from schemas.registry import REGISTRY

CONFIDENTIALITY: Final = (
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
    "",
)
ACT_CODE: Final = (
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "http://hl7.org/fhir/v3/ActCode",
    "urn:oid:2.16.840.1.113883.5.4",
    "",
)
OURS: Final = ("https://hearth.health/fhir/CodeSystem/sensitivity", "")
"""Every spelling of a code system that a label is taken from; the empty one is a code without a system."""
CLIENT_ONLY: Final = "client-only"
"""What a client wrote for nobody else: no clearance and no emergency shows it."""
STAFF_ONLY: Final = "staff-only"
"""What is among professionals: clients, and who acts for them, do not see it; for everybody else it hides nothing."""
_UNSEEN: Final = frozenset(("draft", "entered-in-error"))
"""States of a Task that are for professionals, as if it were labelled so."""


class Label(NamedTuple):
    """A code that hides. `own`: patients see it in their own record; `glass`: an emergency lifts it; `staff`: from clients."""

    systems: tuple[str, ...]
    own: bool = True
    glass: bool = True
    staff: bool = False


HIDING: Final[Mapping[str, Label]] = {
    "V": Label(CONFIDENTIALITY),
    "PSYTHPN": Label(ACT_CODE, own=False, glass=False),
    "HIPAAPsyNotes": Label(ACT_CODE, own=False, glass=False),
    "ETH": Label(ACT_CODE),
    "SUD": Label(ACT_CODE),
    "ETHUD": Label(ACT_CODE),
    "OPIOIDUD": Label(ACT_CODE),
    "42CFRPart2": Label(ACT_CODE),
    "HIV": Label(ACT_CODE),
    "SDV": Label(ACT_CODE),
    "SEX": Label(ACT_CODE),
    "MST": Label(ACT_CODE),
    CLIENT_ONLY: Label(OURS, glass=False),
    STAFF_ONLY: Label(OURS, own=False, staff=True),
}
"""The labels that need a clearance of the same name. Any other, such as U to R of confidentiality, BH or MH, hides nothing."""


def hidden(clearance: Collection[str], is_staff: bool) -> tuple[str, ...]:
    """What is hidden from who has this clearance."""
    return tuple(
        code
        for code, label in HIDING.items()
        if code == CLIENT_ONLY or (not is_staff if label.staff else code not in clearance)
    )


def hidden_in_emergency(clearance: Collection[str]) -> tuple[str, ...]:
    """What stays hidden when the glass is broken."""
    return tuple(code for code in hidden(clearance, True) if not HIDING[code].glass)


HIDDEN_FROM_OWN: Final = tuple(code for code, label in HIDING.items() if not label.own)
"""What patients do not see even in their own record."""


def carried(resource: Mapping[str, Any]) -> Iterator[str]:
    """The hiding labels of a resource."""
    if resource.get("status") in _UNSEEN and resource.get("resourceType") == "Task":
        yield STAFF_ONLY
    for coding in resource.get("meta", {}).get("security", ()):
        code = coding.get("code")
        if code in HIDING and coding.get("system", "") in HIDING[code].systems:
            yield code


@lru_cache(maxsize=4096)
def token(tenant_id: int, code: str) -> int:
    """What stands for a label in `flt`; type 0 is none, so that it is the same for all."""
    return tokens.token(tenant_id, 0, REGISTRY.types["Patient"].search["_security"].id, f"label:{code}")


@lru_cache(maxsize=4096)
def all_tokens(tenant_id: int, codes: tuple[str, ...]) -> list[int]:
    """The tokens of several labels. The list is shared: it is only ever bound."""
    return [token(tenant_id, code) for code in codes]

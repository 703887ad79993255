"""The Provenance of what the service makes of other resources. https://hl7.org/fhir/R4/provenance.html"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def assembled(
    target: str, sources: Iterable[str], *, assembler: str, now: str, labels: Sequence[Mapping[str, Any]], again: bool
) -> dict[str, Any]:
    """That `assembler` made `target` of the sources now; `again` where it was there before. References are `Type/id`."""
    agent = {
        "type": {"coding": [{"system": _PARTICIPANT, "code": "assembler"}]},
        "who": {"reference": assembler},
    }
    return {
        "resourceType": "Provenance",
        "meta": {"security": [dict(each) for each in labels]},
        "target": [{"reference": target}],
        "recorded": now,
        "activity": {"coding": [{"system": _OPERATION, "code": "UPDATE" if again else "CREATE"}]},
        "agent": [agent],
        "entity": [{"role": "source", "what": {"reference": each}} for each in sources],
    }

"""The Tasks that asked for an answer. https://hl7.org/fhir/uv/sdc/workflow.html"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.call import Call
from service.homework.authority import found
from service.search.find import Found
from service.store import Store

_MOST: Final = 200


async def asking(call: Call, store: Store, response: Mapping[str, Any], statuses: Iterable[str] = ()) -> list[Found]:
    """The Tasks in these states, or in any, that share a request or plan with the response, or have it as output."""
    within = [("status", ",".join(sorted(statuses)))] if statuses else [("status:not", "entered-in-error")]
    requests = [each.get("reference", "") for each in response.get("basedOn", ())]
    wanted = ",".join(each for each in requests if each.startswith(("ServiceRequest/", "CarePlan/")))
    if wanted:
        held = await found(call, store, "Task", [("based-on", wanted), *within], _MOST)
        whose = str(response.get("subject", {}).get("reference", ""))
        if len(held) < _MOST or not whose.startswith("Patient/"):
            return held
        # Of a group each member has a series that is based on the same request.
        return await found(call, store, "Task", [("based-on", wanted), ("subject", whose), *within], _MOST)
    return await found(call, store, "Task", [("output", f"QuestionnaireResponse/{response['id']}"), *within], 50)

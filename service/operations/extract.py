"""QuestionnaireResponse/$extract. https://hl7.org/fhir/uv/sdc/OperationDefinition-QuestionnaireResponse-extract.html

Nothing is stored. Docs: docs/fhir-operations.md, "$extract".
"""

import asyncio
from typing import Any, Final

from fhir_mappings.questionnaire import CompiledQuestionnaire, check_response, compile_questionnaire
from fhir_mappings.sdc.extract import extracted
from fhir_mappings.sdc.extraction import ExtractFault
from schemas import dates, ids
from service.call import Call, Reply
from service.errors import Unprocessable
from service.homework.answer import ASSEMBLER, SCORED
from service.index.subject import patient_of
from service.operations.definitions import held, seen, too_large, unknown, valid
from service.operations.parameters import Asked, asked, malformed
from service.store import Store

JsonObject = dict[str, Any]
_RESPONSE: Final = "questionnaire-response"
_NAMES: Final = (_RESPONSE, "questionnaire")


async def extract(call: Call, store: Store) -> Reply:
    """The resource or the transaction Bundle that a completed response becomes. Raises Unprocessable where it cannot."""
    call.grant.require("r", "QuestionnaireResponse")
    given = asked(call, _NAMES, body=_RESPONSE)
    response = await _response(call, store, given)
    if response.get("status") not in SCORED:
        raise Unprocessable(
            "Answers are extracted when they are complete",
            code="business-rule",
            expression=("QuestionnaireResponse.status",),
            details_code="response-not-complete",
        )
    questionnaire = await _questionnaire(call, store, given, response)
    form = compile_questionnaire(questionnaire)
    made = await _made(call, response, questionnaire, form)
    patient = patient_of("QuestionnaireResponse", str(response.get("id", "")), response, call.base)
    return Reply(200, valid(made, "Questionnaire"), type="QuestionnaireResponse", id=call.id, patient=patient)


async def _response(call: Call, store: Store, given: Asked) -> JsonObject:
    sent = given.resource(_RESPONSE, ("QuestionnaireResponse",))
    if call.id is not None:
        if sent is not None:
            raise malformed(_RESPONSE, f"{_RESPONSE} is not possible where the address names the response")
        return await seen(call, store, f"QuestionnaireResponse/{call.id}")
    if sent is None:
        raise malformed(_RESPONSE, f"Send {_RESPONSE} in the body: the response, or a Parameters with it")
    return sent


async def _questionnaire(call: Call, store: Store, given: Asked, response: JsonObject) -> JsonObject:
    """The form that was sent, that the response contains, or that it names and the caller may see."""
    sent = given.resource("questionnaire", ("Questionnaire",))
    if sent is not None:
        return sent
    canonical = str(response.get("questionnaire", ""))
    found: JsonObject | None
    if canonical.startswith("#"):
        contained = (each for each in response.get("contained", ()) if f"#{each.get('id')}" == canonical)
        found = next(contained, None)
    else:
        found = await held(call, store, canonical, ("Questionnaire",)) if canonical else None
    if found is None:
        raise unknown(canonical or "of the response (it names none)", "QuestionnaireResponse.questionnaire")
    return found


async def _made(call: Call, response: JsonObject, questionnaire: JsonObject, form: CompiledQuestionnaire) -> JsonObject:
    now = dates.instant(call.now)
    faults = await asyncio.to_thread(check_response, response, form, now)
    errors = [each for each in faults if each.severity == "error"]
    if errors:
        raise Unprocessable(issues=errors)

    def new_id() -> str:
        return str(ids.new(call.now.timestamp()))

    try:
        return await asyncio.to_thread(
            extracted, response, questionnaire, form, now=now, ids=new_id, assembler=ASSEMBLER
        )
    except ExtractFault as fault:
        raise Unprocessable(
            str(fault), code="processing", expression=(fault.where,), details_code="definition-not-applied"
        ) from fault
    except OverflowError as fault:
        raise too_large(fault) from fault

"""Which instruments a tenant may score, and what a score needs to know of the client. Docs: docs/instruments.md"""

from typing import Any, Final

from fhir_mappings.questionnaire import CompiledQuestionnaire
from schemas.instrument import Instrument
from schemas.instruments import instrument_for
from schemas.outcome import Issue
from service.call import Call
from service.homework import policy as policies
from service.homework.authority import found
from service.homework.planned import Planned
from service.homework.policy import HomeworkPolicy
from service.store import Change, Store

JsonObject = dict[str, Any]
_NONE: Final[frozenset[str]] = frozenset()


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Say of a Questionnaire whose instrument needs a licence why answers to it would not be scored."""
    instrument = None if change.resource is None else _licensed(change.resource)
    if instrument is not None and change.resource is not None:
        issue = withheld(instrument, bool(change.resource.get("copyright")), await planned.policy(), "Questionnaire")
        if issue is not None:
            planned.note(change, issue)


async def faults(store: Store, questionnaire: JsonObject) -> list[Issue]:
    """As `follow`, for $validate."""
    instrument = _licensed(questionnaire)
    if instrument is None:
        return []
    policy = await policies.known(store.connection, store.tenant_id)
    issue = withheld(instrument, bool(questionnaire.get("copyright")), policy, "Questionnaire")
    return [] if issue is None else [issue]


async def unscored(store: Store, questionnaire: CompiledQuestionnaire) -> list[Issue]:
    """Why answers to the form would not be scored, for $validate."""
    instrument = instrument_for(questionnaire.codes)
    if instrument is None or not instrument.licensed:
        return []
    policy = await policies.known(store.connection, store.tenant_id)
    issue = withheld(instrument, questionnaire.has_copyright, policy)
    return [] if issue is None else [issue]


def _licensed(questionnaire: JsonObject) -> Instrument | None:
    codes = [(each.get("system", ""), each.get("code", "")) for each in questionnaire.get("code", ())]
    found = instrument_for(codes) if codes else None
    return found if found is not None and found.licensed else None


async def active(change: Change, questionnaire: CompiledQuestionnaire, planned: Planned) -> frozenset[str]:
    """The licensed instruments that answers to this form are scored by; of others the caller is told why not."""
    instrument = instrument_for(questionnaire.codes)
    if instrument is None or not instrument.licensed:
        return _NONE
    issue = withheld(instrument, questionnaire.has_copyright, await planned.policy())
    if issue is None:
        return frozenset((instrument.id,))
    planned.note(change, issue)
    return _NONE


def withheld(
    instrument: Instrument, is_stated: bool, policy: HomeworkPolicy, where: str = "QuestionnaireResponse.questionnaire"
) -> Issue | None:
    """Why answers are kept and not scored: nobody said that the tenant may, or the form does not say by which right."""
    if instrument.id not in policy.instruments:
        sentence = (
            f"{instrument.title} needs a licence ({instrument.copyright}): answers are kept, but no score is made. An "
            f"administrator who has the right to use it adds {instrument.id!r} to the policy's instruments"
        )
    elif not is_stated:
        sentence = (
            f"{instrument.title} needs a licence: answers are kept, but no score is made until Questionnaire.copyright "
            "says by which right its words are used"
        )
    else:
        return None
    return Issue("warning", "business-rule", sentence, (where,), "instrument-inactive")


async def sex(
    call: Call, store: Store, response: JsonObject, questionnaire: CompiledQuestionnaire, planned: Planned
) -> str | None:
    """Of whom the answers are: female or male, where a score of the form is another one for each; None where neither."""
    instrument = instrument_for(questionnaire.codes)
    if instrument is None or not instrument.needs_sex:
        return None
    patient = await patient_of(call, store, response, planned)
    gender = None if patient is None else patient.get("gender")
    return gender if gender in ("female", "male") else None


async def patient_of(call: Call, store: Store, response: JsonObject, planned: Planned) -> JsonObject | None:
    """The Patient that a resource is about, as it is or is about to be."""
    kind, _, patient_id = response.get("subject", {}).get("reference", "").removeprefix(f"{call.base}/").partition("/")
    if kind != "Patient":
        return None
    writing = planned.resource("Patient", patient_id)
    if writing is not None:
        return writing
    held = await found(call, store, "Patient", [("_id", patient_id)], 1)
    return held[0].resource(store.codec) if held else None

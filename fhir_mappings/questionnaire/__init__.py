"""Questionnaires compiled once, and responses checked against them. https://hl7.org/fhir/R4/questionnaire.html"""

from fhir_mappings.questionnaire.check import check_response
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire, compile_questionnaire

__all__ = ["CompiledQuestionnaire", "check_response", "compile_questionnaire"]

"""Questionnaires compiled, and responses checked against them. https://hl7.org/fhir/R4/questionnaire.html"""

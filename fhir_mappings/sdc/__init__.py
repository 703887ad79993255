"""Structured Data Capture: what forms say in extensions, beyond Questionnaire itself. https://hl7.org/fhir/uv/sdc/"""

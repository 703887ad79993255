"""Translations between therapy homework and FHIR, pure functions over values."""

"""The objects of the homework API, for app developers who need not know FHIR. Docs: docs/homework-api.md."""

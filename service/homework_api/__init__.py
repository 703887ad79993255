"""The homework API: what each of its addresses does, over the same interactions as the FHIR API. Docs: docs/homework-api.md."""

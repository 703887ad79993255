"""Objects of the homework API to FHIR resources and back. Docs: docs/homework-api.md, "Which resource is what"."""

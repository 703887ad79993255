"""OAuth 2.0 for the FHIR API: clients, tokens and their faults, free of HTTP."""

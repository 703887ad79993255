"""R4's invariants of severity error, as functions. https://hl7.org/fhir/R4/conformance-rules.html"""

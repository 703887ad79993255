"""One file per FHIR interaction, named as the specification names it. https://hl7.org/fhir/R4/http.html"""

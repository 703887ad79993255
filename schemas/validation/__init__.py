"""The R4 validator: checks compiled once from the element tables. https://hl7.org/fhir/R4/validation.html"""

"""The three ways to change a part of a resource. https://hl7.org/fhir/R4/http.html#patch"""

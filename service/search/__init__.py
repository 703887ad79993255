"""Search: from parameters as sent to SQL, pages and Bundles. https://hl7.org/fhir/R4/search.html"""

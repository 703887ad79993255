"""The operations of FHIR and of Hearth, one file each; `service.interactions.operations` says where they stand."""

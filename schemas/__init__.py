"""What things are: the R4 Registry, primitive values, validation, outcomes."""

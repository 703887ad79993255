"""The generator of schemas/data/r4."""

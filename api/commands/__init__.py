"""The groups of the `hearth` command, a file for each."""

"""What Hearth does: interactions, storage, search, grants; free of HTTP."""

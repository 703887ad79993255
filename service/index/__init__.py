"""Index rows: what a resource can be found by, computed from its JSON and the Registry when it is written."""

"""What can be wrong with a patch. https://hl7.org/fhir/R4/http.html#patch

PatchFault
├── PatchMalformed       the document is not a patch of its kind (400)
└── PatchInapplicable    the patch is sound, but does not fit this resource (422)
    └── PatchTestFailed  a `test` operation of JSON Patch did not hold (422)
"""

from typing import Any


class PatchFault(ValueError):
    """The patch cannot be applied; `message` names the operation, `expression` is FHIRPath to the element or ''."""

    def __init__(self, message: str, expression: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression


class PatchMalformed(PatchFault):
    """The document is not a patch of its kind."""


class PatchInapplicable(PatchFault):
    """The patch is well formed, but does not fit the resource as it is stored."""


class PatchTestFailed(PatchInapplicable):
    """A `test` operation found another value than it asked for."""


def check_identity(before: dict[str, Any], after: Any) -> dict[str, Any]:
    """`after`, unless the patch turned it into another resource than `before`."""
    if not isinstance(after, dict):
        raise PatchInapplicable("After the patch the resource is no JSON object; leave the root in place")
    for name in ("resourceType", "id"):
        if before.get(name) != after.get(name):
            raise PatchInapplicable(
                f"The patch changes {name} from {before.get(name)!r} to {after.get(name)!r}; it must stay as it is",
                f"{before.get('resourceType', '')}.{name}",
            )
    return after

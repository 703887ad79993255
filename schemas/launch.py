"""What an EHR says of a launch: who, about whom, about what.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#launch-context-arrives-with-your-access_token
"""

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas import references
from schemas.registry import REGISTRY

_MOST: Final = 50
_NOT_TOLD: Final = re.compile(r"[^ !#-\[\]-~]")
"""What the description of an OAuth error may not have (RFC 6749, 5.2)."""
_LAUNCH: Final = "launch"


class LaunchFault(ValueError):
    """The launch is not one that can be made; the message says what would be right and repeats nothing."""


def _to(*types: str) -> AfterValidator:
    """Checks a relative reference to one of the types; to one type alone its id will do."""

    def checked(text: str) -> str:
        found = references.literal(f"{types[0]}/{text}" if len(types) == 1 and "/" not in text else text)
        if found is None or found.base is not None or found.version is not None or found.type not in types:
            raise ValueError(f"a reference such as {types[0]}/123 to a {' or '.join(types)}")
        return f"{found.type}/{found.id}"

    return AfterValidator(checked)


_Text = Annotated[str, Field(min_length=1, max_length=256)]
_Person = Annotated[_Text, _to("Patient", "Practitioner", "RelatedPerson")]
_Patient = Annotated[_Text, _to("Patient")]
_Encounter = Annotated[_Text, _to("Encounter")]


def _any_reference(text: str) -> str:
    found = references.literal(text)
    if found is None or found.base is not None or found.type not in REGISTRY.names:
        raise ValueError("a relative reference such as Task/123")
    return text


class ContextItem(BaseModel):
    """One entry of fhirContext: a resource by reference, canonical or identifier, and its part in the launch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Annotated[_Text, AfterValidator(_any_reference)] | None = None
    canonical: Annotated[str, Field(max_length=1024, pattern=r"^https?://\S+$")] | None = None
    identifier: dict[str, Any] | None = None
    type: _Text | None = None
    role: Annotated[str, Field(max_length=1024, pattern=r"^(launch|[A-Za-z][A-Za-z0-9+.\-]*:\S+)$")] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        named = self.resource_type
        if self.reference is None and self.canonical is None and self.identifier is None:
            raise ValueError("a reference, a canonical or an identifier")
        if self.type is not None and (self.type not in REGISTRY.names or named != self.type):
            raise ValueError("the type of the resource that it names")
        if named in ("Patient", "Encounter") and self.role in (None, _LAUNCH):
            raise ValueError("no Patient or Encounter of the role launch: those are patient and encounter")
        return self

    @property
    def resource_type(self) -> str | None:
        """The type of the resource, where the entry says it."""
        found = None if self.reference is None else references.literal(self.reference)
        return self.type if found is None else found.type

    def entry(self) -> dict[str, Any]:
        """The entry as an app gets it, always with the type where that is known."""
        known = {} if self.resource_type is None else {"type": self.resource_type}
        return self.model_dump(exclude_none=True) | known


class Launch(BaseModel):
    """The body of POST /oauth/launch. References are relative; `user` and `client_id` say who alone may use the handle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: _Text | None = None
    user: _Person | None = None
    patient: _Patient | None = None
    encounter: _Encounter | None = None
    fhirContext: Annotated[tuple[ContextItem, ...], Field(max_length=_MOST)] = ()
    intent: _Text | None = None
    need_patient_banner: Annotated[bool, Field(strict=True)] | None = None
    smart_style_url: Annotated[str, Field(max_length=1024, pattern=r"^https?://\S+$")] | None = None

    def references(self) -> tuple[tuple[str, str], ...]:
        """(type, id) of every resource of this server that it names."""
        named = [self.user, self.patient, self.encounter, *(each.reference for each in self.fhirContext)]
        found = [references.literal(text) for text in named if text is not None]
        return tuple((each.type, each.id) for each in found if each is not None)


def read(raw: bytes) -> Launch:
    """The launch in a JSON body. Raises LaunchFault."""
    try:
        return Launch.model_validate_json(raw)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:100] or "The body"
        told = f"{place}: {first['msg'].removeprefix('Value error, ')}"
        raise LaunchFault(_NOT_TOLD.sub("'", told)) from None

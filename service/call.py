"""Call and Reply: one FHIR interaction in, one out, free of HTTP; a batch entry and a request run the same function.

https://hl7.org/fhir/R4/http.html
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.outcome import Issue
from service.audit import AuditRecord
from service.grant import Grant


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditional headers as sent: versions without quotes and W/, dates parsed, If-None-Exist as a query string."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_none_exist: str | None = None


@dataclass(frozen=True, slots=True)
class Prefer:
    """The Prefer header: `returns` is minimal, representation or OperationOutcome; we are strict unless asked not to be."""

    returns: str | None = None
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """What somebody asks. `base` is the tenant's FHIR base without a slash at its end; `params` are decoded, in order."""

    tenant_id: int
    base: str
    grant: Grant
    interaction: str
    now: datetime
    type: str | None = None
    id: str | None = None
    version: str | None = None
    operation: str | None = None
    compartment: tuple[str, str] | None = None
    params: tuple[tuple[str, str], ...] = ()
    body: Any = None
    media_type: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    prefer: Prefer = field(default_factory=Prefer)
    accept: str = "application/fhir+json"
    """The media type to answer in, of those that the operation produces."""
    request_id: str = ""
    address: str | None = None
    self_url: str = ""
    validated: bool = False
    """Whether `body` has passed validation already, as a transaction's entries have."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What they get. `content` is the JSON body; `version` and `updated` become ETag and Last-Modified."""

    status: int
    content: bytes | None = None
    version: int | None = None
    updated: datetime | None = None
    location: str | None = None
    type: str | None = None
    id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    patient: str | None = None
    """Whose data it shows, where that is one Patient."""
    media_type: str | None = None
    """What `content` is where it is no FHIR JSON."""
    audited: bool = False
    """Whether the AuditEvent went into the same transaction, as every write's does."""
    notices: tuple[Issue, ...] = ()
    """What a rule has to say of what was written, such as that a score needs a licence."""
    audits: tuple[AuditRecord, ...] = ()
    """What else happened on the way and is to be kept, such as the reads in a Bundle."""

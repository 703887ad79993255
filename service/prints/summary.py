"""What a session summary says: what was agreed, done, said and measured since the last session, and what to talk about.

Whoever gathers it fills in a SummaryDocument; its texts that are not a client's are in its language already.
https://hl7.org/fhir/R4/composition.html
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from service.prints.document import Picture


@dataclass(frozen=True, slots=True)
class Assigned:
    """One assignment: how many times it was planned, done, done in part and put on hold (which the plan leaves out)."""

    title: str
    planned: int
    done: int
    partly: int = 0
    paused: int = 0
    remark: str = ""
    """Something short in the summary's language, such as how helpful it was."""


@dataclass(frozen=True, slots=True)
class ClientWords:
    """What the client wrote; `about` is the question or assignment it answers."""

    text: str
    about: str = ""
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Barrier:
    """What got in the way, how often, and at which assignment."""

    text: str
    count: int = 1
    about: str = ""


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """A measure: its latest value with band, the value it is compared with, and what the change means, in words."""

    title: str
    latest: Decimal
    latest_on: date
    band: str = ""
    before: Decimal | None = None
    before_on: date | None = None
    meaning: str = ""
    """Such as "reliable improvement"; empty where no rule says anything."""


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """A flag that is open or was raised since the last session."""

    text: str
    on: date | None = None
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could come next, and why; the therapist decides."""

    title: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SummaryDocument:
    """All that a session summary says. `since` is the last session's day, where there was one."""

    language: str
    client: str
    until: date
    since: date | None = None
    assigned: tuple[Assigned, ...] = ()
    words: tuple[ClientWords, ...] = ()
    barriers: tuple[Barrier, ...] = ()
    measures: tuple[MeasureChange, ...] = ()
    flags: tuple[RaisedFlag, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    discuss: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()

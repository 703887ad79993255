"""Circles: whose records a person may go to, as SQL on the columns of a row. Docs: docs/security.md, "Who sees what".

A rule of a Grant names the circles that must all hold. What differs from person to person is bound as an `Own`, so that all
persons of one kind share their statements. https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.registry import REGISTRY
from schemas.tokens import reference_sql
from service.index import layout
from service.index.rows import reference_key

PATIENT: Final = "patient"
"""The record of the Patient in context, or of the Patient who the person is."""
CARE: Final = ("care-team", "encounter", "tenant")
"""The records of a practitioner's patients, by the tenant's `practitioner_access`."""
CONSENT: Final = "consent"
"""The records of the Patients who consented to a related person."""
READING: Final = "rs"

SHARED: Final = frozenset(
    ("ActivityDefinition", "CodeSystem", "ConceptMap", "Endpoint", "Library", "Location", "Measure", "OperationDefinition",
     "Organization", "PlanDefinition", "Practitioner", "PractitionerRole", "Questionnaire", "SearchParameter",
     "StructureDefinition", "ValueSet")
)  # fmt: skip
"""Definitions and directory: read by everybody whose scopes say so, written by practitioners and system clients only."""
READ_ONLY: Final = frozenset(("AuditEvent",))
"""What no person writes: the server does."""
PRACTITIONERS_WRITE: Final = frozenset(("Group",))
"""What shows others to whom is in it: who sees a part of it cannot write the whole."""
ADMITTING: Final = frozenset(("CareTeam", "Consent", "Encounter", "RelatedPerson"))
"""What admits people to a record: a related person, who is admitted by consent, does not write it."""

_OWNING: Final[dict[str, tuple[str, ...]]] = {"Task": ("owner", "requester")}
"""Parameters by which a type without a Practitioner compartment is a practitioner's, where it is no patient's."""
_NOT_FOLLOWED: Final = frozenset(("_id", "link"))
"""Parameters of the Patient compartment that count only where they are the patient itself: Patient.link is not followed."""

_NOW: Final = "{0}.since <= now() and {0}.until > now()"
_EARLIER: Final = " and {0}.txn <> pg_current_xact_id()::text::bigint"


class Own(NamedTuple):
    """Stands among the values of a statement for something of the caller's: `patient`, `actor` (keys), or tokens.

    `patient-tokens` and `actor-tokens` are those of references from resources of `type` that make them the person's;
    `hidden` and `hidden-own` those of labels; `member-salt` makes a Patient's key the token of a membership.
    """

    what: str
    type: str = ""


Bind = Callable[[Own], str]
"""Gives the `$n` of a value."""


class Asked(NamedTuple):
    """One question of a row: of which type, called what, for which letter, and whether this very transaction wrote it.

    Of a row just written nothing counts that was written along with it: no one lets themselves in.
    """

    type: str
    alias: str
    letter: str
    written: bool


@lru_cache(maxsize=256)
def patient_codes(type_name: str) -> tuple[str, ...]:
    """The reference parameters that put a resource into a Patient's compartment, those in the patient column apart."""
    codes = REGISTRY.types[type_name].compartments.get("Patient", ())
    return tuple(code for code in codes if code not in _NOT_FOLLOWED and not layout.is_patient_column(type_name, code))


@lru_cache(maxsize=256)
def actor_codes(type_name: str) -> tuple[str, ...]:
    """The reference parameters that make a resource without a patient a practitioner's."""
    if type_name == "Patient":
        return ()
    codes = REGISTRY.types[type_name].compartments.get("Practitioner", ()) or _OWNING.get(type_name, ())
    return tuple(code for code in codes if code != "_id")


@lru_cache(maxsize=256)
def has_patients(type_name: str) -> bool:
    """Whether resources of the type can be in a Patient's compartment, or are by a rule of ours."""
    return "Patient" in REGISTRY.types[type_name].compartments


@lru_cache(maxsize=256)
def _keys(type_name: str) -> str:
    """What `refk` says of references to a Patient that put a resource of the type into the compartment."""
    search, patient = REGISTRY.types[type_name].search, REGISTRY.types["Patient"].id
    return ", ".join(str(reference_key(search[code].id, patient)) for code in patient_codes(type_name))


@lru_cache(maxsize=256)
def has_column(type_name: str) -> bool:
    """Whether the patient column says whose record a resource of the type is in."""
    return layout.patient_param(type_name) is not None and has_patients(type_name)


def condition(circles: tuple[str, ...], asked: Asked, bind: Bind) -> str:
    """Whether the row is in all of the circles: `true` for every row, `false` for none."""
    if not circles:
        return "true"
    care = next((each for each in circles if each in CARE), None)
    if asked.type in SHARED:
        return _shared(circles, care, asked, bind)
    if asked.letter not in READING and not _may_write(asked.type, care, circles):
        return "false"
    if not has_patients(asked.type):
        return "false"
    if PATIENT not in circles:
        return _in_records(circles[0], asked, bind)
    strict = asked.letter not in READING and not (care is None and _is_carried_out(asked, PATIENT))
    within = _in_record(asked, bind, strict)
    if len(circles) == 1 or care == "tenant":
        return within
    return f"({within} and {_linked(circles, bind(Own('patient')), asked, bind)})"


def _may_write(type_name: str, care: str | None, circles: tuple[str, ...]) -> bool:
    if type_name in READ_ONLY or (type_name in PRACTITIONERS_WRITE and care is None):
        return False
    return type_name not in ADMITTING or CONSENT not in circles


def _shared(circles: tuple[str, ...], care: str | None, asked: Asked, bind: Bind) -> str:
    if asked.letter in READING:
        return "true"
    if care is None or len(circles) > 1:
        return "false"
    if asked.type != "PractitionerRole" or not asked.written:
        return "true"
    # Whatever admits the role would admit whoever takes it.
    number = REGISTRY.types["PractitionerRole"].id
    return (
        f"not exists (select from care_link l where l.tenant_id = $1 and l.source_type = {number}"
        f" and l.source_id = {asked.alias}.id and l.actor = {bind(Own('actor'))}"
        " and l.txn = pg_current_xact_id()::text::bigint)"
    )


def _in_record(asked: Asked, bind: Bind, strict: bool) -> str:
    """In the record of the one Patient `Own("patient")`."""
    tokens = _by_tokens(asked.type, "patient-tokens", patient_codes(asked.type), bind)

    def arms(alias: str) -> tuple[str, list[str]]:
        own = f"{alias}.patient = {bind(Own('patient'))}" if has_column(asked.type) else ""
        return own, [text.format(a=alias) for text in tokens]

    return _with_parts(asked, arms, strict)


def _in_records(circle: str, asked: Asked, bind: Bind) -> str:
    """In the record of some Patient of the circle; or, of no Patient's, the person's own."""
    if circle == "tenant":
        return "true"
    keys = _keys(asked.type)

    def arms(alias: str) -> tuple[str, list[str]]:
        others = []
        if keys:
            each = f"{alias}x"
            linked = _linked((circle,), f"{each}.id", asked, bind)
            others.append(
                f"{alias}.refk && array[{keys}] and exists (select from unnest({alias}.ref, {alias}.refk) {each}(id, k)"
                f" where {each}.k in ({keys}) and {linked})"
            )
        own = _linked((circle,), f"{alias}.patient", asked, bind) if has_column(asked.type) else ""
        return own, others

    found = _with_parts(asked, arms, asked.letter not in READING and not _is_carried_out(asked, circle))
    return _either([found, *_of_the_person(circle, asked, bind)])


def _of_the_person(circle: str, asked: Asked, bind: Bind) -> list[str]:
    """What is the person's without being in the record of a Patient of theirs."""
    alias, reading = asked.alias, asked.letter in READING
    if circle == CONSENT:
        if asked.type == "RelatedPerson" and reading:
            return [f"{alias}.id = {bind(Own('actor'))}"]
        if asked.type == "Task" and (reading or asked.letter == "u"):
            return [text.format(a=alias) for text in _by_tokens("Task", "actor-tokens", ("owner",), bind)]
        return []
    tokens = _by_tokens(asked.type, "actor-tokens", actor_codes(asked.type), bind)
    if not tokens:
        return []
    nobodys = [f"{alias}.patient is null"] if has_column(asked.type) else []
    nobodys += [f"not {alias}.refk && array[{_keys(asked.type)}]"] if _keys(asked.type) else []
    return [" and ".join([*nobodys, _either([text.format(a=alias) for text in tokens])])]


Arms = Callable[[str], tuple[str, list[str]]]
"""For a row's alias: what its patient column must say, empty where it has none, and the other ways into a record."""


def _with_parts(asked: Asked, arms: Arms, strict: bool) -> str:
    """The arms of the row; a Task is also where the Task is that it is a part of."""
    own, others = arms(asked.alias)
    if asked.type == "Task":
        others = [*others, _part_of(asked.alias, arms)]
    column = [own] if own else []
    if strict and column and others:
        # Who performs what is in somebody's record may see it; to write it the record must be one's own.
        others = [f"{asked.alias}.patient is null and {_either(others)}"]
    return _either(column + others)


def _part_of(alias: str, arms: Arms) -> str:
    head, each = f"{alias}h", f"{alias}y"
    task = REGISTRY.types["Task"]
    key = reference_key(task.search["part-of"].id, task.id)
    own, others = arms(head)
    return (
        f"{alias}.refk @> array[{key}] and exists (select from unnest({alias}.ref, {alias}.refk) {each}(id, k)"
        f" join resource_task {head} on {head}.tenant_id = $1 and {head}.type_id = {task.id} and {head}.id = {each}.id"
        f" where {each}.k = {key} and not {head}.deleted and {_either([own, *others])})"
    )


def _by_tokens(type_name: str, what: str, codes: tuple[str, ...], bind: Bind) -> list[str]:
    """That one of these parameters refers to the person, with `{a}` for the row."""
    if not codes:
        return []
    slot = bind(Own(what, type_name))
    found = [f"{{a}}.sel && {slot}::bigint[]"]
    return found + ([f"{{a}}.k1 = any({slot}::bigint[])"] if layout.hot(type_name).k1 in codes else [])


def _either(arms: list[str]) -> str:
    return arms[0] if len(arms) == 1 else f"({' or '.join(arms)})" if arms else "false"


def _is_carried_out(asked: Asked, circle: str) -> bool:
    """Whether it is a change of a Task by who may be its owner: of that homework.task keeps the rest."""
    return asked.type == "Task" and asked.letter == "u" and circle not in CARE


def _linked(circles: tuple[str, ...], patient: str, asked: Asked, bind: Bind) -> str:
    """Whether the Patient of this key is in the circle that is not PATIENT."""
    circle = next(each for each in circles if each != PATIENT)
    return _consented(patient, asked, bind) if circle == CONSENT else _in_care(circle, patient, asked, bind)


def member_tokens(circles: Collection[str], bind: Bind) -> str:
    """The tokens of a Group's references to the person, or to the Patients who consented, as SQL."""
    if CONSENT not in circles:
        return f"{bind(Own('patient-tokens', 'Group'))}::bigint[]"
    made = reference_sql("s.id", f"{bind(Own('member-salt'))}::bigint")
    return f"array(select {made} from ({consenting(bind)}) s)"  # noqa: S608


def consenting(bind: Bind) -> str:
    """A select of the `id` of each Patient who consented to the related person."""
    asked = Asked("Group", "", "r", False)
    related = _number("RelatedPerson")
    return (
        f"select distinct c.subject as id from care_link c where c.tenant_id = $1 and c.source_type = {related}"  # noqa: S608
        f" and c.actor_type = {related} and c.actor = {bind(Own('actor'))} and {_consented('c.subject', asked, bind)}"
    )


def _number(type_name: str) -> int:
    return REGISTRY.types[type_name].id


def _in_care(circle: str, patient: str, asked: Asked, bind: Bind) -> str:
    actor, role = bind(Own("actor")), _number("PractitionerRole")
    sources = [_number("CareTeam")] + ([_number("Encounter")] if circle == "encounter" else [])
    roles = (
        f"select m.subject from care_link m where m.tenant_id = $1 and m.source_type = {role} and m.actor = {actor}"  # noqa: S608
        f" and {_valid('m', asked)}"
    )
    found = (
        f"exists (select from care_link l where l.tenant_id = $1 and l.subject = {patient}"
        f" and l.source_type in ({', '.join(map(str, sources))})"
        f" and (l.actor_type = {_number('Practitioner')} and l.actor = {actor}"
        f" or l.actor_type = {role} and l.actor = any(array({roles}))) and {_valid('l', asked)})"
    )
    if not asked.written:
        return found
    # Who registers a new Patient may begin the record.
    return (
        f"({found} or exists (select from resource_patient q where q.tenant_id = $1 and q.type_id = {_number('Patient')}"
        f" and q.id = {patient} and q.version = 1 and q.txn = pg_current_xact_id()::text::bigint))"
    )


def _consented(patient: str, asked: Asked, bind: Bind) -> str:
    actor = bind(Own("actor"))
    of = f"select from care_link l where l.tenant_id = $1 and l.subject = {patient} and l.source_type ="
    ours = f"l.actor_type = {_number('RelatedPerson')} and l.actor = {actor}"
    types = f"(l.types is null or {_number(asked.type)} = any(l.types))"
    consent = _number("Consent")
    # A denial to everybody has the Patient for actor.
    denied = f"({ours} or l.actor_type = {_number('Patient')} and l.actor = l.subject)"
    return (
        f"(exists ({of} {_number('RelatedPerson')} and {ours} and {_valid('l', asked)})"
        f" and exists ({of} {consent} and not l.deny and {ours} and {types} and {_valid('l', asked)})"
        f" and not exists ({of} {consent} and l.deny and {denied} and {types} and {_NOW.format('l')}))"
    )


def _valid(link: str, asked: Asked) -> str:
    return _NOW.format(link) + (_EARLIER.format(link) if asked.written else "")

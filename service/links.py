"""Who is admitted to whose record: what a CareTeam, Encounter, Consent, PractitionerRole or RelatedPerson says of it.

A link leads from an actor to a subject while it is in force. R4's search parameters know neither a participant's period nor
whether a Consent permits or denies, so the links of a resource are rows of their own, kept in the transaction of its write.
https://hl7.org/fhir/R4/consent.html https://hl7.org/fhir/R4/careteam.html
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas import dates
from schemas.dates import Interval
from schemas.registry import REGISTRY

JsonObject = dict[str, Any]
Keyed = Callable[[str], tuple[str, uuid.UUID] | None]
"""(type, storage key) of a reference as written to a resource here, None for any other."""

# Links that are as they were keep their row: a transaction that writes a resource again admits nobody anew.
KEEP: Final = """
with given as (
  select * from unnest($4::smallint[], $5::uuid[], $6::uuid[], $7::text[], $8::boolean[], $9::timestamptz[], $10::timestamptz[])
    as g(actor_type, actor, subject, types, deny, since, until)),
gone as (
  delete from care_link l where l.tenant_id = $1 and l.source_type = $2 and l.source_id = $3 and not exists (
    select from given g where g.actor_type = l.actor_type and g.actor = l.actor and g.subject = l.subject
      and g.types::smallint[] is not distinct from l.types and g.deny = l.deny and g.since = l.since and g.until = l.until))
insert into care_link (tenant_id, source_type, source_id, actor_type, actor, subject, types, deny, since, until)
select $1, $2, $3, g.actor_type, g.actor, g.subject, g.types::smallint[], g.deny, g.since, g.until from given g
 where not exists (
    select from care_link l where l.tenant_id = $1 and l.source_type = $2 and l.source_id = $3
      and g.actor_type = l.actor_type and g.actor = l.actor and g.subject = l.subject
      and g.types::smallint[] is not distinct from l.types and g.deny = l.deny and g.since = l.since and g.until = l.until)"""
STATEMENTS: Final = (KEEP,)

_ACTORS: Final = ("Practitioner", "PractitionerRole")
_RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
_PRIVACY: Final = "patient-privacy"
_ENFORCED: Final = frozenset(("id", "type", "period", "actor", "class", "provision"))
"""Members of a provision that are kept to. A permission that says more is none: it would be taken for wider than it is."""


@dataclass(frozen=True, slots=True)
class Link:
    """`types`: the type numbers that it is about, None for all. A denial beats every permission."""

    actor_type: int
    actor: uuid.UUID
    subject: uuid.UUID
    time: Interval
    types: tuple[int, ...] | None = None
    deny: bool = False


def links(resource: JsonObject, key: uuid.UUID, keyed: Keyed) -> frozenset[Link]:
    """The links of a valid resource whose storage key is `key`; none of a type that admits nobody."""
    made = _LINKS.get(resource["resourceType"])
    return frozenset() if made is None else frozenset(each for each in made(resource, key, keyed) if _lasts(each))


def columns(found: Iterable[Link]) -> list[list[Any]]:
    """The arrays that KEEP takes from $4 on."""
    rows = [
        (each.actor_type, each.actor, each.subject, _array(each.types), each.deny, each.time.lo, each.time.hi)
        for each in found
    ]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)]


def _array(types: tuple[int, ...] | None) -> str | None:
    return None if types is None else "{" + ",".join(map(str, types)) + "}"


def _lasts(link: Link) -> bool:
    return link.time.lo < link.time.hi


def _care_team(resource: JsonObject, _: uuid.UUID, keyed: Keyed) -> Iterator[Link]:
    subject = _to(resource.get("subject"), ("Patient",), keyed)
    if subject is None or resource.get("status") != "active":
        return
    whole = _period(resource)
    for participant in resource.get("participant", ()):
        actor = _to(participant.get("member"), _ACTORS, keyed)
        if actor is not None:
            yield _link(actor, subject, _both(whole, _period(participant)))


def _encounter(resource: JsonObject, _: uuid.UUID, keyed: Keyed) -> Iterator[Link]:
    subject = _to(resource.get("subject"), ("Patient",), keyed)
    if subject is None or resource.get("status") in ("cancelled", "entered-in-error"):
        return
    for participant in resource.get("participant", ()):
        actor = _to(participant.get("individual"), _ACTORS, keyed)
        if actor is not None:
            yield _link(actor, subject, dates.EVER)


def _role(resource: JsonObject, key: uuid.UUID, keyed: Keyed) -> Iterator[Link]:
    actor = _to(resource.get("practitioner"), ("Practitioner",), keyed)
    if actor is not None and resource.get("active") is not False:
        yield _link(actor, ("PractitionerRole", key), _period(resource))


def _related(resource: JsonObject, key: uuid.UUID, keyed: Keyed) -> Iterator[Link]:
    subject = _to(resource.get("patient"), ("Patient",), keyed)
    if subject is not None and resource.get("active") is not False:
        yield _link(("RelatedPerson", key), subject, _period(resource))


def _consent(resource: JsonObject, _: uuid.UUID, keyed: Keyed) -> Iterator[Link]:
    subject, root = _to(resource.get("patient"), ("Patient",), keyed), resource.get("provision")
    if subject is None or root is None or resource.get("status") != "active":
        return
    is_privacy = _PRIVACY in (coding.get("code") for coding in resource.get("scope", {}).get("coding", ()))
    may_permit = is_privacy and "modifierExtension" not in resource
    time = _period(root)
    if root.get("type") == "permit":
        yield from _permits(root, subject, time, keyed) if may_permit else ()
        yield from _exceptions(root, subject, time, keyed)
    elif root.get("type") == "deny":
        yield from _denying(root, subject, time, keyed, may_permit)


def _denying(
    root: JsonObject, subject: tuple[str, uuid.UUID], time: Interval, keyed: Keyed, may_permit: bool
) -> Iterator[Link]:
    """Of a root that denies its permissions count; without any it denies, and to everybody where it names nobody.

    Whom it names it denies all that it does not permit.
    """
    permits: list[Link] = []
    for inner in root.get("provision", ()):
        if inner.get("type") == "permit":
            whole, within = _within(root, inner), _both(time, _period(inner))
            permits += _permits(whole, subject, within, keyed) if may_permit and _is_enforced(root) else []
            yield from _exceptions(whole, subject, within, keyed)
    yield from permits
    if "actor" in root or not root.get("provision"):
        permitted = {link.actor: link.types for link in permits}
        for denial in _denials(root, subject, time, keyed):
            if denial.actor not in permitted:
                yield denial
            elif (types := permitted[denial.actor]) is not None:
                every = denial.types or tuple(each.id for each in REGISTRY.types.values())
                yield _link_of(denial, tuple(each for each in every if each not in types))


def _within(outer: JsonObject, inner: JsonObject) -> JsonObject:
    """`inner` as far as it is an exception to `outer`: to whom, and about which classes, that speaks."""
    kept: JsonObject = {}
    for name in ("actor", "class"):
        if name in outer:
            said = [_said(each) for each in outer[name]]
            kept[name] = [each for each in (inner if name in inner else outer)[name] if _said(each) in said]
    return {**inner, **kept}


def _said(item: JsonObject) -> Any:
    """What counts of an actor, or of a class."""
    return item["reference"].get("reference") if "reference" in item else (item.get("system"), item.get("code"))


def _exceptions(provision: JsonObject, subject: tuple[str, uuid.UUID], time: Interval, keyed: Keyed) -> Iterator[Link]:
    """The denials within a permission, at any depth; who is not named is whom the permission names."""
    for inner in provision.get("provision", ()):
        whole = {name: provision[name] for name in ("actor", "class") if name in provision} | inner
        within = _both(time, _period(inner))
        if inner.get("type") == "deny":
            yield from _denials(whole, subject, within, keyed)
        yield from _exceptions(whole, subject, within, keyed)


def _permits(provision: JsonObject, subject: tuple[str, uuid.UUID], time: Interval, keyed: Keyed) -> Iterator[Link]:
    types = _types(provision)
    if _is_enforced(provision) and types != ():
        for actor in provision.get("actor", ()):
            named = _to(actor.get("reference"), ("RelatedPerson",), keyed)
            if named is not None:
                yield _link(named, subject, time, types)


def _denials(provision: JsonObject, subject: tuple[str, uuid.UUID], time: Interval, keyed: Keyed) -> Iterator[Link]:
    """What is denied in part by words that are not understood is denied in whole."""
    types = _types(provision)
    if types is not None and len(types) < max(1, len(provision["class"])):
        types = None
    if "actor" not in provision:
        yield _link(subject, subject, time, types, deny=True)
    for actor in provision.get("actor", ()):
        named = _to(actor.get("reference"), ("RelatedPerson",), keyed)
        if named is not None:
            yield _link(named, subject, time, types, deny=True)


def _is_enforced(provision: JsonObject) -> bool:
    return provision.keys() <= _ENFORCED


def _types(provision: JsonObject) -> tuple[int, ...] | None:
    """The numbers of the resource types in `class`, None where there is no class."""
    if "class" not in provision:
        return None
    named = (each.get("code") for each in provision["class"] if each.get("system") == _RESOURCE_TYPES)
    return tuple(sorted({REGISTRY.types[name].id for name in named if name in REGISTRY.types}))


_LINKS: Final[Mapping[str, Callable[[JsonObject, uuid.UUID, Keyed], Iterator[Link]]]] = {
    "CareTeam": _care_team,
    "Consent": _consent,
    "Encounter": _encounter,
    "PractitionerRole": _role,
    "RelatedPerson": _related,
}
TYPES: Final = tuple(_LINKS)
"""The types whose resources have links."""


def _link(
    actor: tuple[str, uuid.UUID],
    subject: tuple[str, uuid.UUID],
    time: Interval,
    types: tuple[int, ...] | None = None,
    *,
    deny: bool = False,
) -> Link:
    return Link(REGISTRY.types[actor[0]].id, actor[1], subject[1], time, types, deny)


def _link_of(denial: Link, types: tuple[int, ...]) -> Link:
    return Link(denial.actor_type, denial.actor, denial.subject, denial.time, types, True)


def _to(reference: Any, types: tuple[str, ...], keyed: Keyed) -> tuple[str, uuid.UUID] | None:
    found = keyed(reference.get("reference", "")) if isinstance(reference, dict) else None
    return found if found is not None and found[0] in types else None


def _period(holder: JsonObject) -> Interval:
    period = holder.get("period", {})
    return dates.period(period.get("start"), period.get("end"))


def _both(one: Interval, other: Interval) -> Interval:
    return Interval(max(one.lo, other.lo), min(one.hi, other.hi))

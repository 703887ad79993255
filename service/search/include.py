"""_include and _revinclude: what the matches of a page refer to, and what refers to them.

The first round is a part of the page's statement; with :iterate more rounds follow from what was included, at most ROUNDS.
https://hl7.org/fhir/R4/search.html#revinclude
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from schemas import tokens
from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY, SearchParam
from schemas.tokens import reference_sql
from service.index import layout
from service.index.rows import WORD_CODE, WORD_START, reference_key
from service.search import order, reference, sql
from service.search.criterion import known
from service.search.query import Link
from service.search.reader import Reader
from service.search.sql import COLUMNS, LINKED, Shape
from service.search.text import Malformed
from service.search.where import Frame

ROUNDS: Final = 5
GIVEN: Final = 7
"""How many values a round takes besides the query's."""
_PAIRS: Final = "select p.type_id, u.id, u.k from p cross join lateral unnest(p.ref, p.refk) u(id, k)"


class Page(NamedTuple):
    """A page with its first round: `take` of the page's rows count, at most `most` come from each table.

    `is_linked` when more rounds follow, which need to know what the rows refer to.
    """

    shape: Shape
    links: tuple[Link, ...]
    take: int
    most: int
    is_linked: bool


class Round(NamedTuple):
    """A later round; its last values are types, ids, patients and words of resources, types, ids and refk of references."""

    links: tuple[Link, ...]
    values: int
    most: int


def read(reader: Reader, item: str, is_reverse: bool, iterate: bool, types: Sequence[str]) -> list[Link]:
    """The links of one item: `*`, `Type:*`, `Type:code` or `Type:code:Target`. Raises Malformed."""
    parts = item.split(":") if item != "*" else ["*", "*"]
    if len(parts) not in (2, 3) or not all(parts):
        raise Malformed(f"{item[:80]!r} is not of the form Type:parameter, Type:parameter:Target, Type:* or *")
    source, code, target = parts[0], parts[1], parts[2] if len(parts) == 3 else None
    held = [each.name for each in REGISTRY.types.values() if each.storable]
    for each in (source, target):
        if each not in held and each not in ("*", None):
            raise Malformed(f"{str(each)[:40]!r} is no resource type held here.{did_you_mean(str(each), held)}")
    if source == "*":
        sources: Sequence[str] = held if is_reverse or iterate else types
    else:
        sources = (source,)
    found = [
        link
        for name in sources
        for param in _params(name, code, target)
        for link in _links(reader, name, param, target, is_reverse, iterate, types)
    ]
    # What refers to types that are not held here only is no mistake, and includes nothing.
    if not found and "*" not in (source, code) and (is_reverse or source not in types):
        raise Malformed(_nowhere(source, code, is_reverse, types), "not-supported")
    return found


def _nowhere(source: str, code: str, is_reverse: bool, types: Sequence[str]) -> str:
    searched = " or ".join(types)
    if not is_reverse:
        return f"{searched} is searched, not {source}; what was included is followed by _include:iterate"
    able = [
        each.code
        for each in REGISTRY.types[source].search.values()
        if each.kind == "reference"
        and not is_canonical(each)
        and set(types) & set(reference.targets(source, each.code))
    ]
    return f"{code} of {source} cannot be followed back to {searched}; these may be: {', '.join(able) or 'none'}"


def _params(source: str, code: str, target: str | None) -> Iterator[SearchParam]:
    references = [each for each in REGISTRY.types[source].search.values() if each.kind == "reference"]
    if code == "*":
        yield from references
        return
    param = known(source, code)
    if param.kind != "reference":
        raise Malformed(f"{code} of {source} is no reference; those are {', '.join(each.code for each in references)}")
    allowed = reference.targets(source, code)
    if target is not None and target not in allowed:
        raise Malformed(f"{code} of {source} never refers to {target}; it refers to {', '.join(allowed)}")
    yield param


def is_canonical(param: SearchParam) -> bool:
    """Whether the parameter's values are canonicals, which can be followed forwards only."""
    return all(path.datatype in ("canonical", "uri") for path in param.paths)


def _links(
    reader: Reader,
    source: str,
    param: SearchParam,
    only: str | None,
    is_reverse: bool,
    iterate: bool,
    types: Sequence[str],
) -> Iterator[Link]:
    """The links of one parameter that can lead from, or to, one of the types searched, or from wherever an iteration is."""
    if not is_reverse and source not in types and not iterate:
        return
    by_url, of_members = is_canonical(param), reference.tells_members(source, param.code)
    for target in reference.targets(source, param.code):
        if only not in (None, target) or (is_reverse and target not in types and not iterate):
            continue
        if by_url:
            # A Device has a url too, but nothing refers to it by that.
            if not is_reverse and {"url", "version"} <= REGISTRY.types[target].search.keys():
                yield Link(source, target, "words", param.id, is_reverse, iterate)
        elif target == "Patient" and layout.is_patient_column(source, param.code):
            yield Link(source, target, "patient", 0, is_reverse, iterate)
        elif not is_reverse:
            number = reference_key(param.id, REGISTRY.types[target].id)
            yield Link(source, target, "ref", number, is_reverse, iterate, of_members)
        else:
            type_id, target_id = REGISTRY.types[source].id, REGISTRY.types[target].id
            salt = reader.binder.add(tokens.reference_salt(reader.tenant_id, type_id, param.id, target_id))
            for column in reference.columns(source, param.code):
                yield Link(source, target, column, salt, is_reverse, iterate, of_members)


def page(shape: Page, frame: Frame) -> str:
    """The page's rows as mode 0, one more than `take` when there are more, and what they include as mode 1."""
    found = sql.keys(shape.shape)
    names = [name for name in sql.names(found) if name != "id"]
    linked = _linked(shape.links)
    shown = (*COLUMNS, *(linked if shape.is_linked else ()))
    padding = [
        f"null::{order.CASTS[key.kind]}" for key, name in zip(found, sql.names(found), strict=True) if name != "id"
    ]
    by = order.order_by(found, [f"m.{name}" for name in sql.names(found)], shape.shape.backward)
    inner = shape.shape._replace(columns=(*COLUMNS, *linked))
    parts = [f"select {', '.join([*shown, *names])}, 0 as mode from m"]
    parts += [f"({arm})" for arm in _arms(shape.links, frame, shape.most, shown, padding)]
    return (
        f"with m as materialized ({sql.page(inner, frame)}),"
        f" p as materialized (select * from m order by {by} limit {shape.take}),"
        f" x as materialized ({_PAIRS}){_canonicals(shape.links)} {' union all '.join(parts)}"
    )


def again(shape: Round, frame: Frame) -> str:
    """What the given resources include, as mode 1."""
    shown = (*COLUMNS, *_linked(shape.links))
    types, keys, patients, words, owners, ids, numbers = (f"${shape.values - GIVEN + 1 + at}" for at in range(GIVEN))
    given = (
        f"unnest({types}::int[], {keys}::uuid[], {patients}::uuid[], {words}::text[]) g(type_id, id, patient, words)"
    )
    pairs = f"unnest({owners}::int[], {ids}::uuid[], {numbers}::int[]) g(type_id, id, k)"
    return (
        f"with p as materialized (select g.type_id, g.id, g.patient, g.words from {given}),"
        f" x as materialized (select g.type_id, g.id, g.k from {pairs}){_canonicals(shape.links)}"
        f" {' union all '.join(f'({arm})' for arm in _arms(shape.links, frame, shape.most, shown, ()))}"
    )


def _arms(
    links: Sequence[Link], frame: Frame, most: int, columns: Sequence[str], padding: Sequence[str]
) -> Iterator[str]:
    """One select for each table that can have something; types that are seen in part have one of their own."""
    shown = ", ".join([*(f"t.{column}" for column in columns), *padding, "1 as mode"])
    groups: dict[tuple[str, str, str], list[Link]] = {}
    for link in links:
        name = link.source if link.reverse else link.target
        how = link.target if link.column == "words" else "reverse" if link.reverse else "forward"
        # What somebody refers to is shown to whom could read it or find it; what refers here has to be found.
        table, seen = frame.seen(name, "t", "s" if link.reverse else "rs")
        tells = link.of_members and link.target != "Patient" and frame.members is not None
        if seen != "false" and not tells:
            groups.setdefault((how, table, seen), []).append(link)
    for (how, table, seen), group in groups.items():
        types = {REGISTRY.types[link.source if link.reverse else link.target].id for link in group}
        found = (
            _reverse(group)
            if how == "reverse"
            else _forward(group, len(types) == 1)
            if how == "forward"
            else _canonical(group, how)
        )
        where = [
            "t.tenant_id = $1",
            _in("t.type_id", types),
            "not t.deleted",
            found,
            *([seen] if seen != "true" else []),
        ]
        yield f"select {shown} from {table} where {' and '.join(where)} limit {most}"


def _in(column: str, numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return f"{column} = {found[0]}" if len(found) == 1 else f"{column} in ({', '.join(map(str, found))})"


def _forward(links: Sequence[Link], is_one_type: bool) -> str:
    numbers: dict[str, list[int]] = {}
    for link in links:
        numbers.setdefault(link.source if link.column == "ref" else "", []).append(link.number)
    wanted = " or ".join(
        f"x.type_id = {REGISTRY.types[source].id} and {_in('x.k', found)}"
        for source, found in numbers.items()
        if source
    )
    if not is_one_type:
        return f"(t.type_id, t.id) in (select x.k & 255, x.id from x where {wanted})"
    parts = [f"select x.id from x where {wanted}"] if wanted else []
    owners = [REGISTRY.types[link.source].id for link in links if link.column == "patient"]
    parts += [f"select p.patient from p where {_in('p.type_id', owners)}"] if owners else []
    return f"t.id = any(array({' union all '.join(parts)}))"


def _linked(links: Sequence[Link]) -> tuple[str, ...]:
    """The columns that these links follow."""
    return (*LINKED, "words") if any(link.column == "words" for link in links) else LINKED


def _canonicals(links: Sequence[Link]) -> str:
    """The canonicals in the words of the rows, when a link needs them: their type, parameter, url and version."""
    if not any(link.column == "words" for link in links):
        return ""
    written = f"split_part(w.word, '{WORD_CODE}', 2)"
    return (
        f", c as materialized (select p.type_id, split_part(w.word, '{WORD_CODE}', 1)::int as param,"
        f" split_part({written}, '|', 1) as url, split_part({written}, '|', 2) as version"
        f" from p cross join lateral string_to_table(p.words, '{WORD_START}') w(word)"
        f" where strpos(w.word, '{WORD_CODE}') > 0)"
    )


def _canonical(links: Sequence[Link], target: str) -> str:
    """Found by the url; where the canonical names a version it is that version's, which stands in the words of its row."""
    kind = REGISTRY.types[target]
    url, version = kind.search["url"].id, kind.search["version"].id
    numbers: dict[str, list[int]] = {}
    for link in links:
        numbers.setdefault(link.source, []).append(link.number)
    wanted = " or ".join(
        f"c.type_id = {REGISTRY.types[source].id} and {_in('c.param', found)}" for source, found in numbers.items()
    )
    of = f"s.tenant_id = $1 and s.type_id = {kind.id} and s.param = {url} and s.norm = c.url"
    by_url = (
        f"select s.id from c join resource_string s on {of} and left(s.norm, 200) = left(c.url, 200) where {wanted}"
    )
    word = f"'{WORD_START}{version}{WORD_CODE}' || c.version || '{WORD_START}'"
    exact = f"(c.version = '' or strpos(t.words || '{WORD_START}', {word}) > 0)"
    return (
        f"t.id = any(array({by_url})) and exists"
        f" (select from c join resource_string s on {of} and s.id = t.id where ({wanted}) and {exact})"
    )


def _reverse(links: Sequence[Link]) -> str:
    """Each column against an array made of the page's keys, so that its index can answer."""
    by_column: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        by_column.setdefault((link.column, link.target), []).append(link)
    parts: dict[str, list[str]] = {}
    for (column, target), found in by_column.items():
        of = f"where p.type_id = {REGISTRY.types[target].id}"
        if column == "patient":
            types = _in("t.type_id", (REGISTRY.types[link.source].id for link in found))
            parts.setdefault("patient", []).append(f"({types} and t.patient = any(array(select p.id from p {of})))")
            continue
        salts = ", ".join(f"${link.number}" for link in found)
        made = (
            f"select {reference_sql('p.id', 's.salt')} from p cross join unnest(array[{salts}]::bigint[]) s(salt) {of}"
        )
        parts.setdefault(column, []).append(made)
    either = parts.pop("patient", [])
    for column, selects in parts.items():
        array = f"array({' union all '.join(selects)})"
        either.append(f"t.k1 = any({array})" if column == "k1" else f"t.sel && {array}")
    return either[0] if len(either) == 1 else f"({' or '.join(either)})"


class Reached:
    """What a page has so far, and the references that lead on from what was added last."""

    def __init__(self, matches: Iterable[Any]) -> None:
        self.seen = {(row["type_id"], row["id"]) for row in matches}
        self.rows: list[Any] = []
        self.fresh: list[Any] = []

    def add(self, rows: Iterable[Any], most: int) -> bool:
        """Take the rows that are new, up to `most` in all; whether some had to stay out."""
        self.fresh = []
        for row in rows:
            key = (row["type_id"], row["id"])
            if key in self.seen:
                continue
            if len(self.rows) >= most:
                return True
            self.seen.add(key)
            self.rows.append(row)
            self.fresh.append(row)
        return False

    def given(self) -> tuple[list[Any], ...]:
        """The values of a Round over the newest rows."""
        refs = [
            (row["type_id"], key, number)
            for row in self.fresh
            for key, number in zip(row["ref"], row["refk"], strict=True)
        ]
        own = [[row.get(name) for row in self.fresh] for name in ("type_id", "id", "patient", "words")]
        return (*own, *([ref[at] for ref in refs] for at in range(3)))


def leading(links: Iterable[Link], rows: Sequence[Any]) -> tuple[Link, ...]:
    """The iterating links that can lead on from these rows."""
    types = {REGISTRY.by_id[type_id].name for type_id in {row["type_id"] for row in rows}}
    return tuple(link for link in links if link.iterate and (link.target if link.reverse else link.source) in types)

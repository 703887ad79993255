"""Observation/$lastn: the last n of each code, as one statement. https://hl7.org/fhir/R4/observation-operation-lastn.html

A row is ranked among those of its code, which is in k1. Rows with further codes (translations) are ranked among their like,
and the groups that they join are joined where the rows are read. Rows with no code at all are few: their texts are read.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from schemas import tokens
from schemas.registry import REGISTRY
from service.index.rows import WORD_CODE, WORD_START
from service.search.query import Typed
from service.search.where import Frame, is_positive

MOST: Final = 1000
"""Rows that one answer has at most."""
_TYPE: Final = REGISTRY.types["Observation"]
_CODES: Final = (
    f"array(select m[1] from regexp_matches(r.words, '{WORD_START}{_TYPE.search['code'].id}{WORD_CODE}"
    f"([^{WORD_START}]*)', 'g') m)"
)
_NAMING: Final = ("category", "code", "combo-code", "component-code")
"""What one of has to be asked for; also parameters that begin with a code, such as code-value-concept."""


class Shape(NamedTuple):
    """A statement apart from its values; behind these stands how many of each code."""

    typed: Typed
    values: int


def page(shape: Shape, frame: Frame) -> str:
    """The rows, newest first, each with what it is grouped by."""
    positive = next((test for test in shape.typed.tests if is_positive(test)), None)
    table, where = frame.rows("Observation", "r", "s", positive)
    where += [frame.condition(test, "Observation", "r") for test in shape.typed.tests]
    # The words have every code, the filter tokens every system: they tell sets of codes apart, where k1 is not all there is.
    further = "case when r.present < 0 then {} end"
    like = ", ".join(further.format(each) for each in ("r.flt", _CODES))
    # Of what has no time of its own, no two are at one time.
    newest = "r.d0 desc, case when r.d1 is null then r.updated end desc"
    ranked = (
        f"select r.id, rank() over (partition by r.k1, {like} order by {newest}) as place"
        f" from {table} where {' and '.join(where)}"
    )
    return (
        "select o.type_id, o.id, o.fid, o.enc, o.content, o.d0, case when o.d1 is null then o.updated end as written,"
        f" o.k1, o.present < 0 as further from ({ranked}) k"
        f" join resource_observation o on o.tenant_id = $1 and o.type_id = {_TYPE.id} and o.id = k.id"
        f" where k.place <= ${shape.values + 1} or o.k1 is null"
        f" order by o.d0 desc, written desc nulls last, o.id desc limit {MOST + 1}"
    )


def names_codes(names: Iterable[str]) -> bool:
    """Whether one of these parameters says which codes or categories are wanted."""
    heads = {name.partition(":")[0] for name in names}
    return any(head in _NAMING or head.startswith(("code-value-", "combo-code-value-")) for head in heads)


class _Coding(msgspec.Struct):
    system: str = ""
    code: str | None = None


class _Concept(msgspec.Struct):
    coding: list[_Coding] = []
    text: str | None = None


class _Coded(msgspec.Struct):
    code: _Concept


_decode: Final = msgspec.json.Decoder(_Coded).decode


def latest(rows: Sequence[Any], most: int, tenant_id: int, unpack: Callable[[Any], bytes]) -> list[Any]:
    """The last `most` rows of each group, in the order of the rows; those at one time with the last of them are in too."""
    groups = _Groups()
    named = [(row, _names(row, tenant_id, unpack)) for row in rows]
    for _, names in named:
        groups.join(names)
    seen: dict[Hashable, list[tuple[datetime, datetime | None]]] = {}
    kept = []
    for row, names in named:
        times = seen.setdefault(groups.of(names[0]), [])
        time = (row["d0"], row["written"])
        if len(times) < most or times[most - 1] == time:
            times.append(time)
            kept.append(row)
    return kept


def _names(row: Any, tenant_id: int, unpack: Callable[[Any], bytes]) -> list[Hashable]:
    """What a row's code is called: the tokens of its codings, or its text where it has no code."""
    if row["k1"] is not None and not row["further"]:
        return [row["k1"]]
    concept = _decode(unpack(row)).code
    texts = [f"{each.system}|{each.code}" for each in concept.coding if each.code is not None]
    param = _TYPE.search["code"].id
    return [tokens.token(tenant_id, _TYPE.id, param, text) for text in texts] or [concept.text or ""]


class _Groups:
    """Names that are one: whatever stood together once, and whatever stood together with one of these."""

    def __init__(self) -> None:
        self._over: dict[Hashable, Hashable] = {}

    def of(self, name: Hashable) -> Hashable:
        """What stands for the group of a name."""
        while (over := self._over.get(name, name)) != name:
            name = over
        return name

    def join(self, names: Sequence[Hashable]) -> None:
        """Make one group of these names' groups."""
        first = self.of(names[0])
        for name in names[1:]:
            self._over[self.of(name)] = first

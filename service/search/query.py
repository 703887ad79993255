"""A parsed search: tests on rows (its shape, without values) and the values that their slots number.

Everything here is a tuple of tuples, so that a shape hashes in C and its SQL is compiled once. `tag` keeps two kinds of test
with equal members apart. https://hl7.org/fhir/R4/search.html
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from schemas.outcome import Issue


class Place(NamedTuple):
    """A column that holds one of the values in `slot`: `size` of them, in an array where it is not one; `at` picks one."""

    column: str
    slot: int
    size: int = 1
    at: int = 0
    tag: str = "place"


class AnyOf(NamedTuple):
    """At least one of the tests holds; none, when there are none."""

    tests: "tuple[Test, ...]"
    tag: str = "any"


class AllOf(NamedTuple):
    """Every one of the tests holds."""

    tests: "tuple[Test, ...]"
    tag: str = "all"


class Negated(NamedTuple):
    """The test does not hold, also where there is nothing to test."""

    test: "Test"
    tag: str = "not"


class HotDate(NamedTuple):
    """The interval in d0/d1 against the one in the slots."""

    prefix: str
    lo: int
    hi: int
    tag: str = "hot"


class Range(NamedTuple):
    """A row of resource_range: `half_open` for dates; `codes` are slots of token arrays that the row has to carry."""

    param: int
    prefix: str
    lo: int
    hi: int
    half_open: bool
    codes: tuple[int, ...] = ()
    tag: str = "range"


class String(NamedTuple):
    """A row of resource_string: `how` is starts, exact, contains, uri, above or below."""

    param: int
    how: str
    slots: tuple[int, ...]
    codes: tuple[int, ...] = ()
    tag: str = "string"


class Words(NamedTuple):
    """The in-row text of a parameter's values contains what is in the slot."""

    slot: int
    tag: str = "words"


class Present(NamedTuple):
    """Whether any of the parameters with these bits has a value."""

    mask: int
    tag: str = "present"


class Identity(NamedTuple):
    """The resource's own key is one of the slot's array."""

    slot: int
    tag: str = "id"


class Updated(NamedTuple):
    """`updated` compared with the slot's time."""

    operator: str
    slot: int
    tag: str = "updated"


class Chain(NamedTuple):
    """A reference, held in `column`, to a resource of `type` for which `test` holds; `salt` makes its token."""

    column: str
    type: str
    test: "Test"
    salt: int = 0
    tag: str = "chain"


class Has(NamedTuple):
    """A resource of `type`, for which `test` holds, refers here: by its patient column, or by the number in its refk."""

    type: str
    test: "Test"
    key: int | None
    tag: str = "has"


class PartOf(NamedTuple):
    """A part of a Task for which `test` holds, whether the caller may see that Task or not; `salt` makes its token."""

    test: "Test"
    salt: int
    tag: str = "part"


class Membership(NamedTuple):
    """Something about who the members of a Group are: callers who see only their own membership find it by that alone."""

    test: "Test"
    tag: str = "membership"


class Listed(NamedTuple):
    """An item of the List whose key is in the slot; `key` is the number of such an item in refk."""

    slot: int
    key: int
    tag: str = "listed"


class Further(NamedTuple):
    """The parameter in k1 has more codes than the one there."""

    tag: str = "further"


class Span(NamedTuple):
    """The row is shorter than a day and starts after the slot's time less a day; or it is longer, and starts before that."""

    slot: int
    is_long: bool
    tag: str = "span"


class Always(NamedTuple):
    """True for every row, or for none."""

    truth: bool
    tag: str = "always"


Test: TypeAlias = (
    Place
    | AnyOf
    | AllOf
    | Negated
    | HotDate
    | Range
    | String
    | Words
    | Present
    | Identity
    | Updated
    | Chain
    | Has
    | Membership
    | PartOf
    | Listed
    | Further
    | Span
    | Always
)


class Sort(NamedTuple):
    """One key of the order. `by` is d0, d2, updated, id, range, string, code, words or reference; `slot` has the codes."""

    code: str
    by: str
    descending: bool
    params: tuple[int, ...] = ()
    slot: int = 0
    column: str = ""


class Link(NamedTuple):
    """One way an include goes: from rows of `source` to rows of `target` that they refer to, or back when `reverse`.

    `column` holds the reference: patient, ref (`number` is that in refk), k1 or sel (`number` is the slot of the salt), or
    words (`number` is the parameter, whose canonical URL is looked up). `of_members`: it tells who the members of a Group are.
    """

    source: str
    target: str
    column: str
    number: int
    reverse: bool
    iterate: bool
    of_members: bool = False


class Typed(NamedTuple):
    """What is asked of one type, ANDed."""

    type: str
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A search as understood. `asked` is it as parameters again, for links; `ignored` what a lenient caller is told."""

    typed: tuple[Typed, ...]
    values: tuple[Any, ...]
    sort: tuple[Sort, ...]
    count: int
    total: str | None
    summary: str | None
    elements: tuple[str, ...]
    links: tuple[Link, ...]
    cursor: str | None
    asked: tuple[tuple[str, str], ...]
    ignored: tuple[Issue, ...]
    needs_terms: bool = False
    """Whether some of the values stand for codes that only the tenant's terminology can tell."""

"""Change rules of measures as data: which difference means something, by whom. https://hl7.org/fhir/R4/observation-definitions.html#Observation.method

One file in `data/measures` is one measure, by the code of its total:

- `better` is "lower" or "higher": the direction of feeling well;
- `deviation` is the standard deviation and the reliability that a reliable change index needs, or null: a tenant sets its own;
- `rules` each have an `id` and `version` (they become Observation.method), a `kind`, what the kind needs, and a `source`.

The kinds are `reliable` and `meaningful` (a difference of `points` since the first score), `rci` (a reliable change index
beyond `z`), `response` (a fall of `percent` since the index score, which is the first of at least `from`), `remission`
(`below`, after such an index score), `recovery` (from caseness to below it), and `reliable-recovery` (both).
The loader refuses a file that says anything else, so that a rule it does not know is never skipped in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from schemas import json
from schemas.instrument import Code

NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "reliable": frozenset(("points",)),
    "meaningful": frozenset(("points",)),
    "rci": frozenset(("z",)),
    "response": frozenset(("percent", "from")),
    "remission": frozenset(("below", "from")),
    "recovery": frozenset(("caseness",)),
    "reliable-recovery": frozenset(("caseness", "points")),
}
"""What each kind of rule has to say."""
_RULE: Final = frozenset(("id", "version", "kind", "text", "source"))
_MEASURE: Final = frozenset(("id", "system", "code", "title", "better", "deviation", "rules"))


class MeasureFault(ValueError):
    """A measure file says something that no rule here would honour."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """The spread of a population's scores and how far a score says the same again: what an RCI is made of."""

    sd: Decimal
    r: Decimal
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One published way to say that a score has changed; `numbers` are what its kind needs."""

    id: str
    version: str
    kind: str
    text: str
    source: str
    numbers: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """A score that is followed over time, and its rules."""

    id: str
    code: Code
    title: str
    lower_is_better: bool
    deviation: Deviation | None
    rules: tuple[Rule, ...]


@cache
def measures() -> Mapping[Code, Measure]:
    """Every measure of the package by the code of its total."""
    folder = resources.files("schemas") / "data" / "measures"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    loaded = [load(json.decode(file.read_bytes())) for file in files]
    return MappingProxyType({measure.code: measure for measure in loaded})


def load(source: Mapping[str, Any]) -> Measure:
    """The measure written in `source`. Raises MeasureFault, naming what is not understood."""
    _only(source, _MEASURE, f"measure {source.get('id', '')}")
    if source["better"] not in ("lower", "higher"):
        raise MeasureFault(f"measure {source['id']}: better is 'lower' or 'higher', not {source['better']!r}")
    deviation = _deviation(source["deviation"])
    rules = tuple(_rule(row) for row in source["rules"])
    if deviation is None and any(rule.kind == "rci" for rule in rules):
        raise MeasureFault(f"measure {source['id']}: a rule of kind 'rci' needs a deviation")
    code = (source["system"], source["code"])
    return Measure(source["id"], code, source["title"], source["better"] == "lower", deviation, rules)


def _deviation(source: Mapping[str, Any] | None) -> Deviation | None:
    if source is None:
        return None
    _only(source, frozenset(("sd", "r", "source")), "deviation")
    return Deviation(Decimal(source["sd"]), Decimal(source["r"]), source["source"])


def _rule(row: Mapping[str, Any]) -> Rule:
    needs = NEEDS.get(row["kind"])
    if needs is None:
        raise MeasureFault(f"rule {row['id']}: a kind {row['kind']!r} is not known; it is one of {', '.join(NEEDS)}")
    _only(row, _RULE | needs, f"rule {row['id']}")
    if missing := (_RULE | needs) - row.keys():
        raise MeasureFault(f"rule {row['id']}: {', '.join(sorted(missing))} is missing")
    numbers = MappingProxyType({name: Decimal(row[name]) for name in needs})
    return Rule(row["id"], row["version"], row["kind"], row["text"], row["source"], numbers)


def _only(row: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    if unknown := row.keys() - known:
        raise MeasureFault(f"{where}: {', '.join(sorted(unknown))} is not understood")

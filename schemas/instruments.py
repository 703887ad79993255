"""Instruments as data: panels, items, answer scores, totals and bands. https://hl7.org/fhir/uv/sdc/expressions.html

One file in `data/instruments` is one instrument:

- `system` is the code system of every code in the file, `panel` the code that makes a Questionnaire this instrument;
- `answerLists` name the answers of an item, each with its `score` unless the item is in no scale;
- `items` say which list each item uses;
- `scales` are the totals: `items` (a code, or {"code", "reverse": true}), `method` ("sum"), `multiplier` (1 if absent),
  `missing` ("no-total": an item without a score leaves the scale without a total), `low`, `high` and `bands`;
- `usedAlone` are the items that mean something by themselves and become Observations of their own.

The loader refuses a file that says anything else, so that a rule it does not know is never skipped in silence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from schemas import json

Code = tuple[str, str]
"""System and code of a Coding."""

_MEMBERS: Final[Mapping[str, set[str]]] = {
    "instrument": {"id", "title", "system", "panel", "copyright", "sources", "comment"}
    | {"answerLists", "items", "scales", "usedAlone"},
    "item": {"code", "display", "answers"},
    "answer": {"code", "display", "score"},
    "scale": {"code", "display", "items", "method", "multiplier", "missing", "low", "high", "bands"},
    "scale item": {"code", "reverse"},
    "band": {"low", "high", "text"},
}


class InstrumentFault(ValueError):
    """An instrument file says something that scoring would not honour."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an item; `score` is None on items that no scale uses."""

    code: Code
    display: str
    score: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """One question of an instrument."""

    code: Code
    display: str
    answers: Mapping[Code, Answer]


@dataclass(frozen=True, slots=True)
class Band:
    """The totals from `low` to `high`, both included, and their word."""

    low: int
    high: int
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A total: for each item, what each answer adds (multiplied and, where an item runs backwards, reversed)."""

    code: Code
    display: str
    points: Mapping[Code, Mapping[Code, int]]
    low: int
    high: int
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire with published scoring."""

    id: str
    title: str
    panel: Code
    panel_display: str
    copyright: str
    items: Mapping[Code, Item]
    scales: tuple[Scale, ...]
    used_alone: tuple[Code, ...]


@cache
def instruments() -> Mapping[Code, Instrument]:
    """Every instrument of the package by the code of its panel."""
    folder = resources.files("schemas") / "data" / "instruments"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    loaded = [load(json.decode(file.read_bytes())) for file in files]
    return MappingProxyType({instrument.panel: instrument for instrument in loaded})


def instrument_for(codes: Iterable[Code]) -> Instrument | None:
    """The instrument that one of a Questionnaire's codes names."""
    known = instruments()
    return next((known[code] for code in codes if code in known), None)


def load(source: Mapping[str, Any]) -> Instrument:
    """The instrument written in `source`. Raises InstrumentFault, naming what is not understood."""
    _only(source, "instrument")
    system: str = source["system"]
    lists = {name: _answers(system, rows) for name, rows in source["answerLists"].items()}
    items: dict[Code, Item] = {}
    for row in source["items"]:
        _only(row, "item")
        if row["answers"] not in lists:
            raise InstrumentFault(f"item {row['code']} uses the answer list {row['answers']!r}, which is not given")
        code = (system, row["code"])
        items[code] = Item(code, row["display"], lists[row["answers"]])
    alone = tuple((system, code) for code in source["usedAlone"])
    if not items.keys() >= set(alone):
        raise InstrumentFault("usedAlone names an item that is not given")
    return Instrument(
        id=source["id"],
        title=source["title"],
        panel=(system, source["panel"]["code"]),
        panel_display=source["panel"]["display"],
        copyright=source["copyright"],
        items=MappingProxyType(items),
        scales=tuple(_scale(system, row, items) for row in source["scales"]),
        used_alone=alone,
    )


def _only(row: Mapping[str, Any], kind: str) -> None:
    unknown = row.keys() - _MEMBERS[kind]
    if unknown:
        name = row.get("code", row.get("id", ""))
        raise InstrumentFault(f"{kind} {name}: {', '.join(sorted(unknown))} is not understood")


def _answers(system: str, rows: Iterable[Mapping[str, Any]]) -> Mapping[Code, Answer]:
    answers: dict[Code, Answer] = {}
    for row in rows:
        _only(row, "answer")
        code = (system, row["code"])
        answers[code] = Answer(code, row["display"], row.get("score"))
    return MappingProxyType(answers)


def _scale(system: str, row: Mapping[str, Any], items: Mapping[Code, Item]) -> Scale:
    _only(row, "scale")
    if row["method"] != "sum" or row["missing"] != "no-total":
        raise InstrumentFault(f"scale {row['code']}: only method 'sum' with missing 'no-total' is understood")
    points = dict(_points(system, entry, items, row.get("multiplier", 1)) for entry in row["items"])
    bands = tuple(_band(band) for band in row["bands"])
    scale = Scale((system, row["code"]), row["display"], MappingProxyType(points), row["low"], row["high"], bands)
    _check_range(scale)
    return scale


def _points(
    system: str, entry: str | Mapping[str, Any], items: Mapping[Code, Item], multiplier: int
) -> tuple[Code, Mapping[Code, int]]:
    row: Mapping[str, Any] = {"code": entry} if isinstance(entry, str) else entry
    _only(row, "scale item")
    item = items.get((system, row["code"]))
    if item is None:
        raise InstrumentFault(f"a scale names the item {row['code']}, which is not given")
    scores = {answer.code: answer.score for answer in item.answers.values() if answer.score is not None}
    if len(scores) != len(item.answers):
        raise InstrumentFault(f"item {row['code']} is in a scale, so each of its answers needs a score")
    if row.get("reverse", False):
        turn = min(scores.values()) + max(scores.values())
        scores = {code: turn - score for code, score in scores.items()}
    return item.code, MappingProxyType({code: score * multiplier for code, score in scores.items()})


def _band(row: Mapping[str, Any]) -> Band:
    _only(row, "band")
    return Band(row["low"], row["high"], row["text"])


def _check_range(scale: Scale) -> None:
    """The written range must be the one the points give, and the bands must cover it without gap or overlap."""
    low = sum(min(points.values()) for points in scale.points.values())
    high = sum(max(points.values()) for points in scale.points.values())
    if (low, high) != (scale.low, scale.high):
        raise InstrumentFault(f"scale {scale.code[1]} runs from {low} to {high}, not from {scale.low} to {scale.high}")
    edge = low
    for band in scale.bands:
        if band.low != edge or band.high < band.low:
            raise InstrumentFault(f"scale {scale.code[1]}: band {band.text!r} should start at {edge}")
        edge = band.high + 1
    if scale.bands and edge != high + 1:
        raise InstrumentFault(f"scale {scale.code[1]}: the last band should end at {high}")

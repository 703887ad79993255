"""Instruments as data. https://hl7.org/fhir/uv/sdc/expressions.html#scoring

One file in `data/instruments` is one instrument:

- `system` is the code system of every code in the file that names no other; `panel` the code that makes a Questionnaire this
  instrument (`also` its other spellings); `licensed` that a tenant brings the words and the right to use them;
- `answerLists` name the answers of an item, each with its `score` unless the item is in no scale; or the numbers from `low`
  to `high` by `step` (1 if absent), as integers or decimals, the whole ones also as codes of CodeSystem/instrument-answer,
  and as `blank` the codes that say nothing;
- `items` say which list each item uses;
- `scales` are the totals: `items` (a code, or {"code", "reverse": true, "only": the sex it is asked of}), `method` ("sum"),
  `multiplier` (1 if absent), `decimals` (0 if absent), `low`, `high`, `bands`, and `bandsBySex` where they differ;
  `missing` is "no-total", or {"mean": how many items may be missing, each counting the mean of the others, "source"};
  `skips` are items that count nothing, unanswered, `when` others are answered so;
- `panelObservation` groups several totals under the panel; `usedAlone` are the items that become Observations of their own;
- `risk` are the items whose answers somebody has to look at: `levels` by answer, 1 to 3.

The loader refuses a file that says anything else, so that a rule it does not know is never skipped in silence.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from schemas.instrument import ANSWER, Answer, Band, Code, Given, Instrument, Item, Points, Scale, Skip, Trigger

_MEMBERS: Final[Mapping[str, set[str]]] = {
    "instrument": {"id", "title", "system", "panel", "copyright", "licensed", "sources", "comment"}
    | {"answerLists", "items", "scales", "panelObservation", "usedAlone", "risk"},
    "panel": {"code", "display", "system", "also"},
    "also": {"code", "system"},
    "numbers": {"low", "high", "step", "blank"},
    "item": {"code", "display", "answers", "system"},
    "answer": {"code", "display", "score", "system"},
    "scale": {"code", "display", "system", "items", "method", "multiplier", "missing", "skips", "decimals"}
    | {"low", "high", "bands", "bandsBySex"},
    "scale item": {"code", "reverse", "only"},
    "missing": {"mean", "source"},
    "skip": {"when", "zero"},
    "band": {"low", "high", "text"},
    "risk": {"item", "reason", "levels"},
}
_SEXES: Final = frozenset(("female", "male"))


class InstrumentFault(ValueError):
    """An instrument file says something that scoring would not honour."""


class _Answers:
    """An answer list as it is read: coded answers, numbers, and what says nothing."""

    def __init__(self, system: str, source: Any) -> None:
        self.coded: dict[Code, Answer] = {}
        self.numbers: dict[Points, Points] = {}
        self.blanks: frozenset[Code] = frozenset()
        if isinstance(source, dict):
            self._read_numbers(source)
            return
        for row in source:
            _only(row, "answer")
            code = _code(system, row)
            self.coded[code] = Answer(code, row["display"], row.get("score"))

    def _read_numbers(self, source: Mapping[str, Any]) -> None:
        _only(source, "numbers")
        step = Decimal(str(source.get("step", 1)))
        number = Decimal(source["low"])
        while number <= source["high"]:
            if number == int(number):
                code = (ANSWER, str(int(number)))
                self.coded[code] = Answer(code, code[1], int(number))
            self.numbers[number] = number if step != 1 else int(number)
            number += step
        self.blanks = frozenset((ANSWER, each) for each in source.get("blank", ()))


def load(source: Mapping[str, Any]) -> Instrument:
    """The instrument written in `source`. Raises InstrumentFault, naming what is not understood."""
    _only(source, "instrument")
    system: str = source["system"]
    panel = source["panel"]
    _only(panel, "panel")
    lists = {name: _Answers(system, each) for name, each in source["answerLists"].items()}
    items = {row["code"]: _item(system, row, lists) for row in source["items"]}
    alone = [_named(items, code, "usedAlone") for code in source["usedAlone"]]
    return Instrument(
        id=source["id"],
        title=source["title"],
        panel=_code(system, panel),
        panel_display=panel["display"],
        also=tuple(_also(each) for each in panel.get("also", ())),
        copyright=source["copyright"],
        licensed=source.get("licensed", False),
        sources=tuple(source.get("sources", ())),
        items=MappingProxyType({item.code: item for item in items.values()}),
        scales=tuple(_scale(system, row, items) for row in source["scales"]),
        panel_observation=source.get("panelObservation", False),
        used_alone=tuple(item.code for item in alone),
        risk=tuple(_trigger(row, items) for row in source.get("risk", ())),
    )


def _only(row: Mapping[str, Any], kind: str) -> None:
    unknown = row.keys() - _MEMBERS[kind]
    if unknown:
        name = row.get("code", row.get("id", ""))
        raise InstrumentFault(f"{kind} {name}: {', '.join(sorted(unknown))} is not understood")


def _code(system: str, row: Mapping[str, Any]) -> Code:
    return row.get("system", system), row["code"]


def _also(row: Mapping[str, Any]) -> Code:
    _only(row, "also")
    return row["system"], row["code"]


def _named(items: Mapping[str, Item], code: str, where: str) -> Item:
    if code not in items:
        raise InstrumentFault(f"{where} names the item {code}, which is not given")
    return items[code]


def _item(system: str, row: Mapping[str, Any], lists: Mapping[str, _Answers]) -> Item:
    _only(row, "item")
    found = lists.get(row["answers"])
    if found is None:
        raise InstrumentFault(f"item {row['code']} uses the answer list {row['answers']!r}, which is not given")
    coded, numbers = MappingProxyType(found.coded), MappingProxyType(found.numbers)
    return Item(_code(system, row), row["display"], coded, numbers, found.blanks)


def _scale(system: str, row: Mapping[str, Any], items: Mapping[str, Item]) -> Scale:
    _only(row, "scale")
    if row["method"] != "sum":
        raise InstrumentFault(f"scale {row['code']}: only method 'sum' is understood")
    may_miss, source = _missing(row)
    entries = [_entry(each) for each in row["items"]]
    multiplier = row.get("multiplier", 1)
    points = {
        _named(items, each["code"], "a scale").code: _points(items[each["code"]], each, multiplier) for each in entries
    }
    scale = Scale(
        code=_code(system, row),
        display=row["display"],
        points=MappingProxyType(points),
        low=row["low"],
        high=row["high"],
        bands=tuple(_band(band) for band in row["bands"]),
        bands_by_sex={sex: tuple(_band(band) for band in bands) for sex, bands in row.get("bandsBySex", {}).items()},
        only={items[each["code"]].code: each["only"] for each in entries if "only" in each},
        skips=tuple(_skip(each, items) for each in row.get("skips", ())),
        may_miss=may_miss,
        missing_source=source,
        decimals=row.get("decimals", 0),
    )
    _check(scale)
    return scale


def _missing(row: Mapping[str, Any]) -> tuple[int, str | None]:
    missing = row["missing"]
    if missing == "no-total":
        return 0, None
    if not isinstance(missing, dict) or not missing.keys() >= {"mean", "source"}:
        said = "'no-total' or {'mean', 'source'}"
        raise InstrumentFault(f"scale {row['code']}: missing is {said}, not {missing!r}")
    _only(missing, "missing")
    return missing["mean"], missing["source"]


def _entry(entry: str | Mapping[str, Any]) -> Mapping[str, Any]:
    row: Mapping[str, Any] = {"code": entry} if isinstance(entry, str) else entry
    _only(row, "scale item")
    if row.get("only", "female") not in _SEXES:
        raise InstrumentFault(f"item {row['code']}: only is {' or '.join(sorted(_SEXES))}")
    return row


def _points(item: Item, row: Mapping[str, Any], multiplier: int) -> Mapping[Given, Points | None]:
    scores: dict[Given, Points] = {each.code: each.score for each in item.answers.values() if each.score is not None}
    if len(scores) != len(item.answers):
        raise InstrumentFault(f"item {item.code[1]} is in a scale, so each of its answers needs a score")
    scores.update(item.numbers.items())
    turn = min(scores.values()) + max(scores.values()) if row.get("reverse", False) else None
    turned = {given: score if turn is None else turn - score for given, score in scores.items()}
    made: dict[Given, Points | None] = {given: score * multiplier for given, score in turned.items()}
    return MappingProxyType(made | dict.fromkeys(item.blanks))


def _skip(row: Mapping[str, Any], items: Mapping[str, Item]) -> Skip:
    _only(row, "skip")
    when = {}
    for code, answers in row["when"].items():
        item = _named(items, code, "a skip")
        when[item.code] = frozenset(each for each in item.answers if each[1] in answers)
        if len(when[item.code]) != len(answers):
            raise InstrumentFault(f"a skip names an answer of {code} that is not given")
    return Skip(when, frozenset(_named(items, code, "a skip").code for code in row["zero"]))


def _trigger(row: Mapping[str, Any], items: Mapping[str, Item]) -> Trigger:
    _only(row, "risk")
    item = _named(items, row["item"], "risk")
    unknown = row["levels"].keys() - {code for _, code in item.answers}
    if unknown:
        raise InstrumentFault(f"risk of {row['item']} names the answers {sorted(unknown)}, which are not given")
    levels: dict[Given, int] = {}
    for code, answer in item.answers.items():
        levels[code] = row["levels"].get(code[1], 0)
        if answer.score is not None:
            levels[answer.score] = levels[code]
    return Trigger(item.code, row["reason"], MappingProxyType(levels))


def _band(row: Mapping[str, Any]) -> Band:
    _only(row, "band")
    return Band(row["low"], row["high"], row["text"])


def _check(scale: Scale) -> None:
    """The written range must be the one the points give, and the bands must cover it without gap or overlap."""
    each = [[points for points in by_answer.values() if points is not None] for by_answer in scale.points.values()]
    low, high = sum(map(min, each)), sum(map(max, each))
    if (low, high) != (scale.low, scale.high):
        raise InstrumentFault(f"scale {scale.code[1]} runs from {low} to {high}, not from {scale.low} to {scale.high}")
    if scale.bands_by_sex and scale.bands_by_sex.keys() != _SEXES:
        raise InstrumentFault(f"scale {scale.code[1]}: bandsBySex are of {' and '.join(sorted(_SEXES))}")
    for bands in (scale.bands, *scale.bands_by_sex.values()):
        _check_bands(scale, bands)


def _check_bands(scale: Scale, bands: Iterable[Band]) -> None:
    edge = scale.low
    for band in bands:
        if band.low != edge or band.high < band.low:
            raise InstrumentFault(f"scale {scale.code[1]}: band {band.text!r} should start at {edge}")
        edge = band.high + 1
    if edge not in (scale.low, scale.high + 1):
        raise InstrumentFault(f"scale {scale.code[1]}: the last band should end at {scale.high}")

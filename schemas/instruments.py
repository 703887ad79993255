"""The instruments of the package, by the codes of their panels. Docs: docs/instruments.md"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from schemas import instrument_file, json
from schemas.instrument import Code, Instrument, Trigger


@cache
def instruments() -> Mapping[Code, Instrument]:
    """Every instrument of the package by the code of its panel."""
    folder = resources.files("schemas") / "data" / "instruments"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    loaded = [instrument_file.load(json.decode(file.read_bytes())) for file in files]
    return MappingProxyType({instrument.panel: instrument for instrument in loaded})


@cache
def _by_panel() -> Mapping[Code, Instrument]:
    return {code: each for each in instruments().values() for code in (each.panel, *each.also)}


def instrument_for(codes: Iterable[Code]) -> Instrument | None:
    """The instrument that one of a Questionnaire's codes names."""
    known = _by_panel()
    return next((known[code] for code in codes if code in known), None)


@cache
def triggers() -> Mapping[Code, Trigger]:
    """What answers tell of risk, by item. It does not matter which form an item stands in, nor who may score it."""
    return MappingProxyType({each.item: each for instrument in instruments().values() for each in instrument.risk})

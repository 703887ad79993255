"""Searches by case: what they find, what they refuse and how. The cases stand in tests/cases/search."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import pytest

from service.errors import BadRequest

CASES: Final = {
    path.stem: json.loads(path.read_text(), parse_float=Decimal)
    for path in sorted((Path(__file__).parents[3] / "cases" / "search").glob("*.json"))
}
_benches: Final[dict[str, Any]] = {}


def cases(wanted: str) -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}: {case['search']}")
        for name, found in CASES.items()
        for case in found["cases"]
        if wanted in case
    ]


async def loaded(name: str, make_bench: Callable[[], Any]) -> Any:
    if name not in _benches:
        _benches[name] = make_bench()
        await _benches[name].put(*CASES[name]["resources"])
    return _benches[name]


def address(search: str) -> str:
    """The search as a URL; escapes that a case has are kept."""
    return "/" + quote(unquote(search), safe="?&=:/|,$#")


@pytest.mark.parametrize(("name", "case"), cases("finds"))
async def test_finds(name: str, case: Any, make_bench: Callable[[], Any]) -> None:
    bench = await loaded(name, make_bench)

    found = await bench.found(address(case["search"]).replace("#", "%23"))

    assert sorted(found) == sorted(case["finds"]), case.get("why")


@pytest.mark.parametrize(("name", "case"), cases("refuses"))
async def test_refuses(name: str, case: Any, make_bench: Callable[[], Any]) -> None:
    bench = await loaded(name, make_bench)

    with pytest.raises(BadRequest) as refusal:
        await bench.get(address(case["search"]))

    issue = refusal.value.issues[0]
    assert case["refuses"] in issue.diagnostics
    assert issue.code == case["code"]
    if "expression" in case:
        assert issue.expression == (case["expression"],)

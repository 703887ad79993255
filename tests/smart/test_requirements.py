"""That the list of requirements and the tests of this folder belong together: none is forgotten, none is made up."""

import ast
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS: list[dict[str, Any]] = json.loads((HERE / "requirements.json").read_text())


def marked() -> dict[str, set[str]]:
    """The rows that each test says it proves."""
    found: dict[str, set[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        if path.name == Path(__file__).name:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name not in found, f"two tests are called {node.name}"
                found[node.name] = set(_rows(node))
    return found


def _rows(node: ast.AsyncFunctionDef | ast.FunctionDef) -> list[str]:
    return [
        each.value
        for call in node.decorator_list
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "smart"
        for each in call.args
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def test_each_row_is_proven_by_a_test_or_says_why_it_does_not_apply() -> None:
    by_row: dict[str, set[str]] = {}
    for test, rows in marked().items():
        for row in rows:
            by_row.setdefault(row, set()).add(test)
    for row in ROWS:
        if "not_applicable" in row:
            assert row["not_applicable"], row["id"]
            assert "tests" not in row, row["id"]
            assert row["id"] not in by_row, f"{row['id']} does not apply, and is tested"
        else:
            assert set(row["tests"]) == by_row.get(row["id"], set()), row["id"]
            assert row["tests"], f"{row['id']} has no test"


def test_each_test_names_rows_that_are_there() -> None:
    known = {row["id"] for row in ROWS}
    for test, rows in marked().items():
        assert rows, f"{test} names no row"
        assert rows <= known, f"{test} names {rows - known}"


def test_rows_are_whole_and_there_once() -> None:
    ids = [row["id"] for row in ROWS]
    assert len(set(ids)) == len(ids)
    for row in ROWS:
        assert row["conformance"] in ("SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "MUST", "MUST NOT", "MAY")
        assert set(row) - {"tests", "not_applicable"} == {"id", "conformance", "section", "requirement"}

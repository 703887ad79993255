"""Each capability of therapy homework (tests/cases/capabilities.json) has a test that names its row: test_row_049_..."""

import json
import re
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROWS: Final[list[dict[str, Any]]] = json.loads((HERE.parent / "cases" / "capabilities.json").read_text())
NAMED: Final = re.compile(r"^async def test_row_(\d{3})_\w+\(", re.MULTILINE)


def test_every_row_has_a_test_that_names_it() -> None:
    named = [int(number) for file in sorted(HERE.glob("test_rows_*.py")) for number in NAMED.findall(file.read_text())]
    assert sorted(set(named)) == [each["row"] for each in ROWS]

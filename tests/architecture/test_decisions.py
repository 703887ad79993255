"""A decision's check names tests that are there: a record whose proof is missing proves nothing."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_names_a_check_that_exists_in_forty_lines(record: Path) -> None:
    text = record.read_text()
    check = text.partition("## Check")[2]
    named = re.findall(r"`(tests/[\w/.\-]+)`", check)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert len(text.splitlines()) <= 40

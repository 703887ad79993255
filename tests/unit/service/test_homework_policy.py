"""A tenant's homework policy: what it cannot be is refused with what it can, and every choice is in the documents."""

from pathlib import Path

import msgspec
import pytest

from service.errors import Unprocessable
from service.homework import policy
from service.homework.policy import HomeworkPolicy

DOCUMENT = (Path(__file__).parents[3] / "docs" / "homework.md").read_text()


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(HomeworkPolicy)])
def test_every_choice_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT.split("## Policy")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("zone", "Europe/Atlantis", "time zone"),
        ("horizon_days", "0", "horizon_days"),
        ("minimum_group", "1", "minimum_group"),
        ("partial_weight", "1.5", "partial_weight"),
        ("submits_partial", "perhaps", "submits_partial"),
        ("horizon", "7", "horizon_days"),
    ],
)
def test_what_it_cannot_be_is_refused_with_what_it_can(name: str, value: str, said: str) -> None:
    with pytest.raises(Unprocessable, match=said):
        policy.changed(policy.DEFAULT, name, value)


def test_one_choice_changes_and_the_others_stay() -> None:
    changed = policy.changed(policy.changed(policy.DEFAULT, "zone", "America/Bogota"), "risk_hours", "12")
    assert (changed.zone, changed.risk_hours, changed.horizon_days) == ("America/Bogota", 12, 14)
    assert policy.read(msgspec.json.encode(changed).decode()) == changed
    assert policy.read(None) == policy.DEFAULT

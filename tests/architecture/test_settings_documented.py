"""docs/settings.md tells every setting as the code has it, and no other."""

import re
from pathlib import Path

from service.settings import PREFIX, Settings

TABLE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(\w+)` \| (?:`([^`]*)`)? ?\| (.+) \|$", re.MULTILINE)


def test_the_table_of_settings_says_what_the_code_says() -> None:
    written = {name: (default, meaning) for name, default, meaning in ROW.findall(TABLE.read_text())}
    real = {
        PREFIX + name.upper(): (
            "" if field.default_factory or field.default is None else str(field.default),
            field.description,
        )
        for name, field in Settings.model_fields.items()
    }
    assert written == real

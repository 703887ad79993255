"""What an engine takes from its settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.engine import Engine
from service.settings import Settings


def test_the_settings_limit_the_pages(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, page_count=5, page_count_max=20, include_limit=30)
    pages = Engine(settings, "postgresql://localhost/hearth").pages
    assert (*pages.limits, pages.include_limit) == (5, 20, 30)


def test_no_page_is_longer_than_statements_are_made_for(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="1000"):
        Settings(data_dir=tmp_path, page_count_max=1001)

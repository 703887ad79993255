"""docs/homework-api.md names every address of the homework API, with the scopes that it needs."""

from pathlib import Path
from typing import Final

import pytest

from schemas.homework.assignments import STATES
from service.homework_api.endpoint import Endpoint
from service.homework_api.table import ENDPOINTS

PAGE: Final = (Path(__file__).parents[2] / "docs" / "homework-api.md").read_text()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_an_address_is_in_the_page_with_its_scopes(endpoint: Endpoint) -> None:
    needs = ", ".join(f"`{each}`" for each in endpoint.scopes) or "any"
    more = " *and* " + ", ".join(f"`{each}`" for each in endpoint.more) if endpoint.more else ""
    assert f"| `{endpoint.method} /{endpoint.path}` | {endpoint.summary} | {needs}{more} |\n" in PAGE


def test_the_page_names_no_other_address() -> None:
    assert PAGE.count("\n| `") - PAGE.partition("### States")[2].partition("###")[0].count("\n| `") == len(ENDPOINTS)


def test_every_state_is_explained() -> None:
    told = PAGE.partition("### States")[2].partition("###")[0]
    assert [each for each in STATES if f"`{each}`" not in told] == ["in-error"]

"""What the CapabilityStatement says of includes is what a search takes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import json
from service import capabilities
from service.search import include
from service.search.reader import Reader

STATEMENT = json.decode(capabilities.reply("http://hearth.test/fhir", ()).content or b"")
TYPES = STATEMENT["rest"][0]["resource"]


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: each["type"])
def test_every_include_declared_leads_somewhere(declared: dict[str, Any]) -> None:
    reader = Reader(1, "http://hearth.test/fhir", datetime(2026, 1, 1, tzinfo=UTC))
    for item in declared["searchInclude"]:
        assert include.read(reader, item, False, False, (declared["type"],)) or item == "*"
    for item in declared["searchRevInclude"]:
        assert include.read(reader, item, True, False, (declared["type"],))

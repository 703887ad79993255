"""The OpenAPI document in the repository is the one the code makes; `make openapi` writes it anew."""

import msgspec

from api.cli import OPENAPI
from api.worker import document
from schemas import json


def test_the_openapi_document_is_what_the_code_says() -> None:
    assert OPENAPI.read_text() == msgspec.json.format(json.encode(document()), indent=2).decode() + "\n"

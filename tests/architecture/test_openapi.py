"""The OpenAPI documents in the repository are those the code makes; `make openapi` writes them anew."""

import msgspec

from api.cli import HOMEWORK_OPENAPI, OPENAPI
from api.homework import document as homework
from api.worker import document
from schemas import json


def test_the_openapi_document_is_what_the_code_says() -> None:
    assert OPENAPI.read_text() == msgspec.json.format(json.encode(document()), indent=2).decode() + "\n"


def test_the_openapi_document_of_the_homework_api_is_what_the_code_says() -> None:
    written = msgspec.json.format(json.encode(homework.document()), indent=2).decode()
    assert HOMEWORK_OPENAPI.read_text() == f"{written}\n"

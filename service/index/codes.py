"""The tokens of coded values and identifiers. https://hl7.org/fhir/R4/search.html#token"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from schemas import tokens
from service.index import values

Coded = tuple[int, bool, str | None]
"""A token, whether it names a single code, and that code where it is one of any system."""


def _made(tenant_id: int, type_id: int, param_id: int, texts: Iterator[tuple[str, bool]]) -> tuple[Coded, ...]:
    return tuple(
        (tokens.token(tenant_id, type_id, param_id, text), single, text[2:] if text.startswith("*|") else None)
        for text, single in texts
    )


@lru_cache(maxsize=16384)
def _coding(tenant_id: int, type_id: int, param_id: int, system: str | None, code: str | None) -> tuple[Coded, ...]:
    return _made(tenant_id, type_id, param_id, values.coded(system, code))


@lru_cache(maxsize=4096)
def _code(tenant_id: int, type_id: int, param_id: int, code: str) -> tuple[Coded, ...]:
    return _made(tenant_id, type_id, param_id, values.token_texts(code, "code"))


def coded(datatype: str, tenant_id: int, type_id: int, param_id: int, value: Any) -> Sequence[Coded]:
    """The tokens of one value. Codes come again and again, so theirs are remembered; identifiers do not."""
    if datatype == "CodeableConcept":
        return [
            each
            for coding in value.get("coding", ())
            for each in _coding(tenant_id, type_id, param_id, coding.get("system"), coding.get("code"))
        ]
    if datatype == "Coding":
        return _coding(tenant_id, type_id, param_id, value.get("system"), value.get("code"))
    if datatype == "code":
        return _code(tenant_id, type_id, param_id, value)
    return _made(tenant_id, type_id, param_id, values.token_texts(value, datatype))

"""Parameters as an answer: parts typed by what they are. https://hl7.org/fhir/R4/parameters.html"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from schemas import json

JsonObject = dict[str, Any]
_TYPES: Final[Mapping[type, str]] = {
    bool: "valueBoolean",
    int: "valueInteger",
    str: "valueString",
    Decimal: "valueDecimal",
    float: "valueDecimal",
    date: "valueDate",
}


def parameter(name: str, *more: JsonObject, **values: Any) -> JsonObject:
    """A parameter with a part for each value that is neither None nor empty, then the parts `more`."""
    return {"name": name, "part": [*parts(**values), *more]}


def parts(**values: Any) -> list[JsonObject]:
    """Parts, each typed by what its value is; what is None or an empty text has none."""
    return [
        {"name": name, _TYPES[type(value)]: _plain(value)} for name, value in values.items() if value not in (None, "")
    ]


def typed(name: str, datatype: str, value: Any) -> JsonObject:
    """A part of a type that JSON does not show, such as `DateTime`, or of a complex one."""
    return {"name": name, f"value{datatype}": value}


def answer(rows: Sequence[JsonObject]) -> bytes:
    """The Parameters resource of these rows."""
    return json.encode({"resourceType": "Parameters", **({"parameter": list(rows)} if rows else {})})


def _plain(value: Any) -> Any:
    return value.isoformat() if type(value) is date else value

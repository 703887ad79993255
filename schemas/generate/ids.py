"""Numbers that stand in stored rows for types and parameters: given once, never changed, never reused."""

from typing import Any

from schemas.generate.corrections import FIRST_TYPE_IDS, TYPES

MAX_BIT = 62


def extended(ids: dict[str, Any], search: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`ids` with numbers added for what has none yet. Raises ValueError when a type runs out of bits."""
    types = dict(ids.get("types") or FIRST_TYPE_IDS)
    _add(types, sorted(TYPES), 1)
    parameters = dict(ids.get("parameters", {}))
    _add(parameters, sorted({code for of_type in search.values() for code in of_type}), 1)
    bits = {name: dict(given) for name, given in ids.get("bits", {}).items()}
    for name, of_type in search.items():
        _add(bits.setdefault(name, {}), sorted(of_type), 0)
        if max(bits[name].values()) > MAX_BIT:
            raise ValueError(f"{name} needs more than {MAX_BIT + 1} search parameters")
    return {"types": types, "parameters": parameters, "bits": dict(sorted(bits.items()))}


def _add(numbers: dict[str, int], names: list[str], first: int) -> None:
    following = max(numbers.values(), default=first - 1) + 1
    for name in names:
        if name not in numbers:
            numbers[name] = following
            following += 1


def numbered(ids: dict[str, Any], search: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`search` with each parameter's code and numbers written into its facts."""
    return {
        name: {
            code: {"code": code, "id": ids["parameters"][code], "bit": ids["bits"][name][code]} | facts
            for code, facts in of_type.items()
        }
        for name, of_type in search.items()
    }

"""JSON Patch. https://www.rfc-editor.org/rfc/rfc6902"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from schemas.json import MAX_DEPTH
from schemas.patch import tree
from schemas.patch.fault import PatchFault, PatchInapplicable, PatchMalformed, PatchTestFailed, check_identity

MAX_OPERATIONS: Final = 1_000
# `copy` of a growing document into itself doubles it each time: thirty operations would fill any memory.
MAX_COPIED_VALUES: Final = 1_000_000

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_ROOT: Final = ""


def json_patch(resource: dict[str, Any], operations: Any) -> dict[str, Any]:
    """A new resource: `resource` after all `operations`, in order, or PatchFault and nothing done."""
    if not isinstance(operations, list):
        raise PatchMalformed("A JSON Patch is an array of operations, as in [{'op': 'test', 'path': '/status', ...}]")
    if len(operations) > MAX_OPERATIONS:
        raise PatchMalformed(f"The patch has {len(operations)} operations; at most {MAX_OPERATIONS} are taken at once")
    # The document hangs in a holder, so that the root is replaced and removed like any other member.
    holder = {_ROOT: tree.clone(resource)}
    copied = 0
    for number, operation in enumerate(operations):
        try:
            copied += _apply(holder, operation)
            if copied > MAX_COPIED_VALUES:
                raise PatchInapplicable(f"The copy operations copy more than {MAX_COPIED_VALUES} values")
        except PatchFault as fault:
            name = operation.get("op") if isinstance(operation, Mapping) else None
            where = f"Operation {number} ({name})" if isinstance(name, str) else f"Operation {number}"
            raise type(fault)(f"{where}: {fault.message}", fault.expression) from None
    return check_identity(resource, holder.get(_ROOT))


def _apply(holder: dict[str, Any], operation: Any) -> int:
    """Does one operation in place; returns how many values it copied."""
    if not isinstance(operation, dict):
        raise PatchMalformed("an operation is an object with op and path")
    name = operation.get("op")
    verb = _VERBS.get(name) if isinstance(name, str) else None
    if verb is None:
        raise PatchMalformed(f"op must be one of {', '.join(_VERBS)}, not {name!r}")
    return verb(holder, operation)


def _add(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    _insert(holder, _pointer(operation, "path"), _value(operation))
    return 0


def _remove(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    _take(holder, _pointer(operation, "path"))
    return 0


def _replace(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    tokens = _pointer(operation, "path")
    container, key = _find(holder, tokens)
    container[key] = tree.clone(_value(operation), MAX_DEPTH - len(tokens))
    return 0


def _move(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    source, target = _pointer(operation, "from"), _pointer(operation, "path")
    if len(source) < len(target) and target[: len(source)] == source:
        raise PatchInapplicable("an element cannot move into itself; copy it instead", _expression(holder, target))
    if source == target:
        _find(holder, source)
        return 0
    _insert(holder, target, _take(holder, source))
    return 0


def _copy(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    container, key = _find(holder, _pointer(operation, "from"))
    value = container[key]
    copied = tree.size(value)
    if copied <= MAX_COPIED_VALUES:
        _insert(holder, _pointer(operation, "path"), value)
    return copied


def _test(holder: dict[str, Any], operation: dict[str, Any]) -> int:
    tokens, asked = _pointer(operation, "path"), _value(operation)
    try:
        container, key = _find(holder, tokens)
    except PatchInapplicable as fault:
        raise PatchTestFailed(fault.message, fault.expression) from None
    if not tree.equal(container[key], asked):
        # The stored value is not told: a caller may patch what it may not read.
        raise PatchTestFailed("the element has another value; read it again and repeat", _expression(holder, tokens))
    return 0


_VERBS: Final[dict[str, Callable[[dict[str, Any], dict[str, Any]], int]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchMalformed("value is missing")
    return operation["value"]


def _pointer(operation: dict[str, Any], member: str) -> list[str]:
    """The reference tokens of the JSON Pointer in `member`. https://www.rfc-editor.org/rfc/rfc6901"""
    text = operation.get(member)
    if not isinstance(text, str):
        raise PatchMalformed(f"{member} is missing or no string")
    if text and text[0] != "/":
        raise PatchMalformed(f"{member} must be empty or start with '/', as in /status; it is {text!r}")
    if _BAD_ESCAPE.search(text):
        raise PatchMalformed(f"{member} has '~' without 0 or 1 behind it; write ~0 for ~ and ~1 for /")
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]
    if len(tokens) > MAX_DEPTH:
        raise PatchMalformed(f"{member} is deeper than {MAX_DEPTH} levels")
    return tokens


def _find(holder: dict[str, Any], tokens: Sequence[str]) -> tuple[Any, Any]:
    """The container and the key of the existing element that `tokens` name."""
    container, key = _parent(holder, tokens)
    if isinstance(container, dict):
        if key not in container:
            raise _missing(holder, tokens)
        return container, key
    return container, _index(holder, tokens, len(container) - 1)


def _parent(holder: dict[str, Any], tokens: Sequence[str]) -> tuple[Any, str]:
    """The container, existing or not yet filled, that the last of `tokens` speaks of."""
    container: Any = holder
    key = _ROOT
    for depth, token in enumerate(tokens):
        if isinstance(container, dict):
            if key not in container:
                raise _missing(holder, tokens[:depth])
            container = container[key]
        else:
            container = container[_index(holder, tokens[:depth], len(container) - 1)]
        if not isinstance(container, (dict, list)):
            raise PatchInapplicable(
                f"there is nothing at {_text(tokens)}: {_text(tokens[:depth])} is neither an object nor an array",
                _expression(holder, tokens[:depth]),
            )
        key = token
    return container, key


def _insert(holder: dict[str, Any], tokens: Sequence[str], value: Any) -> None:
    container, key = _parent(holder, tokens)
    copy = tree.clone(value, MAX_DEPTH - len(tokens))
    if isinstance(container, dict):
        container[key] = copy
    elif key == "-":
        container.append(copy)
    else:
        container.insert(_index(holder, tokens, len(container)), copy)


def _take(holder: dict[str, Any], tokens: Sequence[str]) -> Any:
    container, key = _find(holder, tokens)
    return container.pop(key)


def _index(holder: dict[str, Any], tokens: Sequence[str], highest: int) -> int:
    """The array index in the last token, 0 to `highest`."""
    token = tokens[-1]
    if not _INDEX.fullmatch(token):
        right = "a number without leading zeros, or '-' with add, move and copy"
        raise PatchInapplicable(
            f"{_text(tokens)} ends in {token!r}, but {_text(tokens[:-1])} is an array: use {right}",
            _expression(holder, tokens[:-1]),
        )
    if int(token) > highest:
        raise PatchInapplicable(
            f"there is no index {token} in the array {_text(tokens[:-1])}; the highest possible here is {highest}",
            _expression(holder, tokens[:-1]),
        )
    return int(token)


def _missing(holder: dict[str, Any], tokens: Sequence[str]) -> PatchInapplicable:
    return PatchInapplicable(
        f"there is nothing at {_text(tokens)}; add makes a new element", _expression(holder, tokens)
    )


def _text(tokens: Sequence[str]) -> str:
    """The tokens as a pointer again; the root reads 'the root'."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens) or "the root"


def _expression(holder: dict[str, Any], tokens: Sequence[str]) -> str:
    return tree.expression(holder.get(_ROOT), list(tokens))

"""FHIRPath Patch: add, insert, delete, replace and move by path. https://hl7.org/fhir/R4/fhirpatch.html"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from schemas.json import MAX_DEPTH
from schemas.patch import edit, parameter, tree
from schemas.patch.fault import PatchFault, PatchInapplicable, PatchMalformed, check_identity
from schemas.patch.node import Node, base, children, find_element, names, resolve, root
from schemas.patch.parameter import Parts
from schemas.patch.path import Child, Step, parse
from schemas.registry import Element

MAX_OPERATIONS: Final = 1_000
# A path with where() looks at every element of a list; a thousand such paths over a huge list would block the service.
MAX_VISITED: Final = 200_000


def fhirpath_patch(resource: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """A new resource: `resource` after all operations in `parameters`, in order, or PatchFault and nothing done."""
    operations = _operations(parameters)
    result = tree.clone(resource)
    visited = 0
    for number, operation in enumerate(operations):
        kind = ""
        try:
            given = parameter.parts(operation)
            kind = parameter.text(given, "type")
            verb = _VERBS.get(kind)
            if verb is None:
                raise PatchMalformed(f"type must be one of {', '.join(_VERBS)}, not {kind!r}")
            visited += verb(root(result), given)
            if visited > MAX_VISITED:
                raise PatchInapplicable(f"the paths go over more than {MAX_VISITED} elements; use indexes")
        except PatchFault as fault:
            name = f"Operation {number}" + (f" ({kind})" if kind else "")
            raise type(fault)(f"{name}: {fault.message}", fault.expression) from None
    return check_identity(resource, result)


def _operations(parameters: Any) -> list[Any]:
    if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
        raise PatchMalformed("A FHIRPath Patch is a Parameters resource with one parameter 'operation' for each change")
    operations = parameters.get("parameter", [])
    if not isinstance(operations, list):
        raise PatchMalformed("Parameters.parameter is an array")
    if len(operations) > MAX_OPERATIONS:
        raise PatchMalformed(f"The patch has {len(operations)} operations; at most {MAX_OPERATIONS} are taken at once")
    return operations


def _add(start: Node, given: Parts) -> int:
    node, visited = _single(start, _path(given))
    name = parameter.text(given, "name")
    element = find_element(node, name)
    where = f"{node.expression}.{base(element)}"
    value = _value(node, element, given, where)
    if not names(element, value.member, name):
        raise PatchInapplicable(f"the name {name!r} does not go with {value.member}; write {base(element)!r}", where)
    if element.many:
        body = _body(node)
        edit.insert(body, edit.length(body, value.member), value)
    elif any(True for _ in children(node, element)):
        raise PatchInapplicable(f"{where} is there already and does not repeat; use replace", where)
    else:
        edit.put(_body(node), value)
    return visited


def _insert(start: Node, given: Parts) -> int:
    node, element, visited = _list(start, _path(given))
    where = f"{node.expression}.{element.name}"
    index, count = parameter.number(given, "index"), edit.length(node.body, element.name)
    if index > count:
        raise PatchInapplicable(f"index {index} is beyond the end of {where}, which has {count} elements", where)
    value = _value(node, element, given, where)
    edit.insert(_body(node), index, value)
    return visited


def _delete(start: Node, given: Parts) -> int:
    nodes, visited = resolve(start, _path(given))
    if len(nodes) > 1:
        raise _several(nodes, "delete them one by one")
    if nodes and nodes[0].above is None:
        raise PatchInapplicable("a patch cannot delete the resource; use the delete interaction", nodes[0].expression)
    for node in nodes:
        _remove(node)
    return visited


def _replace(start: Node, given: Parts) -> int:
    node, visited = _single(start, _path(given))
    if node.above is None:
        raise PatchInapplicable("a patch cannot replace the resource; use update", node.expression)
    value = _value(node.above, node.element, given, node.expression)
    if node.index is None:
        edit.replace(node.owner, node.member, value)
    else:
        edit.replace_at(node.owner, node.index, value)
    return visited


def _move(start: Node, given: Parts) -> int:
    node, element, visited = _list(start, _path(given))
    where, count = f"{node.expression}.{element.name}", edit.length(node.body, element.name)
    source, destination = parameter.number(given, "source"), parameter.number(given, "destination")
    for name, index in (("source", source), ("destination", destination)):
        if index >= count:
            raise PatchInapplicable(f"{name} {index} is beyond the end of {where}, which has {count} elements", where)
    edit.move(node.body, element.name, source, destination)
    return visited


_VERBS: Final[dict[str, Callable[[Node, Parts], int]]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


def _path(given: Parts) -> tuple[Step, ...]:
    return parse(parameter.text(given, "path"))


def _value(node: Node, element: Element, given: Parts, where: str) -> edit.Value:
    if "value" not in given:
        raise PatchMalformed("the part 'value' is missing")
    depth = node.depth + (2 if element.many else 1)
    return parameter.value_for(given["value"], element, where, MAX_DEPTH - depth)


def _single(start: Node, steps: Sequence[Step]) -> tuple[Node, int]:
    nodes, visited = resolve(start, steps)
    if not nodes:
        raise PatchInapplicable(
            "there is nothing at the path; add its parts first, from the outside in", start.expression
        )
    if len(nodes) > 1:
        raise _several(nodes, "name one, as in [0] or .where(...)")
    return nodes[0], visited


def _several(nodes: Sequence[Node], advice: str) -> PatchInapplicable:
    return PatchInapplicable(f"the path leads to {len(nodes)} elements, not to one; {advice}", nodes[0].expression)


def _list(start: Node, steps: Sequence[Step]) -> tuple[Node, Element, int]:
    """The owner and the element of the list that the path names, which may be empty."""
    last = steps[-1]
    if not isinstance(last, Child):
        raise PatchInapplicable("the path should name a whole list, as in Patient.name", start.expression)
    node, visited = _single(start, steps[:-1])
    element = find_element(node, last.name)
    if not element.many:
        where = f"{node.expression}.{element.name}"
        raise PatchInapplicable(f"{where} does not repeat; use add, replace or delete", where)
    return node, element, visited


def _body(node: Node) -> dict[str, Any]:
    """The object with the members of `node`; for a primitive it is made when it has none."""
    if node.is_primitive and not node.body:
        _set_twin(node, {})
    return node.body


def _set_twin(node: Node, twin: dict[str, Any] | None) -> None:
    value = edit.Value(node.member, node.value, twin)
    if node.index is None:
        edit.replace(node.owner, node.member, value)
    else:
        edit.replace_at(node.owner, node.index, value)


def _remove(node: Node) -> None:
    """Takes the node out, and with it whatever would be left empty: FHIR has no empty elements."""
    edit.take(node.owner, node.member, node.index)
    above = node.above
    if node.owner or above is None or above.above is None:
        return
    if above.is_primitive and above.value is not None:
        _set_twin(above, None)
    else:
        _remove(above)

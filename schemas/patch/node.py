"""Elements of a resource in its JSON form: a primitive is a member and its `_` twin. https://hl7.org/fhir/R4/json.html#primitive"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from schemas.members import member, members
from schemas.nearest import did_you_mean
from schemas.patch import tree
from schemas.patch.fault import PatchInapplicable
from schemas.patch.path import Child, Condition, OfType, Step, Where
from schemas.registry import REGISTRY, Element

_ROOT: Final = Element("", ("Resource",))
_PRIMITIVE: Final = (Element("id", ("string",)), Element("extension", ("Extension",), many=True))


@dataclass(frozen=True, slots=True)
class Node:
    """One element: it stands in `owner` under `member`, and there at `index` if it repeats; `above` is its parent."""

    owner: dict[str, Any]
    member: str
    index: int | None
    element: Element
    datatype: str
    above: "Node | None" = None
    depth: int = 0

    @property
    def value(self) -> Any:
        """The JSON value; None for a primitive that has only extensions."""
        return _at(self.owner.get(self.member), self.index)

    @property
    def twin(self) -> Any:
        """What a primitive has besides its value: id and extensions."""
        return _at(self.owner.get("_" + self.member), self.index)

    @property
    def is_primitive(self) -> bool:
        return self.datatype != "Resource" and self.datatype not in REGISTRY.elements

    @property
    def type_name(self) -> str:
        """The type whose elements this one has: of an inner resource, its own."""
        return str(self.value.get("resourceType")) if self.datatype == "Resource" else self.datatype

    @property
    def expression(self) -> str:
        """FHIRPath to this element."""
        if self.above is None:
            return self.type_name
        index = "" if self.index is None else f"[{self.index}]"
        return f"{self.above.expression}.{base(self.element)}{index}"

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that holds the members of this element; empty when it has none."""
        found = self.twin if self.is_primitive else self.value
        return found if isinstance(found, dict) else {}


def root(resource: dict[str, Any]) -> Node:
    """The resource as the node that everything else is below."""
    return Node({"": resource}, "", None, _ROOT, "Resource")


def _at(value: Any, index: int | None) -> Any:
    if index is None:
        return value
    return value[index] if isinstance(value, list) and index < len(value) else None


def base(element: Element) -> str:
    """The name of the element in FHIRPath, where a choice has no type."""
    return element.name.removesuffix("[x]")


def names(element: Element, member_name: str, name: str) -> bool:
    """Whether `name` means what stands under `member_name`; clients name a choice with and without its type."""
    return name in (base(element), element.name, member_name)


def find_element(node: Node, name: str) -> Element:
    """The element `name` of the type that `node` has. Raises PatchInapplicable that names what is near."""
    plain = name.removesuffix("[x]")
    if node.is_primitive:
        known: dict[str, Element] = {each.name: each for each in _PRIMITIVE}
    else:
        facts = members(node.type_name)
        known = {json_name: element for json_name, (element, _) in facts.items()}
        known |= {base(element): element for element, _ in facts.values()}
    if plain not in known:
        raise PatchInapplicable(
            f"{node.expression} has no element {name!r}.{did_you_mean(plain, known)}", node.expression
        )
    return known[plain]


def children(node: Node, element: Element) -> Iterator[Node]:
    """The nodes of one element of `node`, in order."""
    body = node.body
    for datatype in element.types:
        name = member(element, datatype)
        value, twin = body.get(name), body.get("_" + name)
        if element.many:
            count = max(len(each) if isinstance(each, list) else 0 for each in (value, twin))
            for index in range(count):
                yield Node(body, name, index, element, datatype, node, node.depth + 2)
        elif value is not None or twin is not None:
            yield Node(body, name, None, element, datatype, node, node.depth + 1)


def resolve(start: Node, steps: Sequence[Step]) -> tuple[list[Node], int]:
    """All elements that `steps` lead to, in order, and how many were looked at on the way."""
    nodes, visited = [start], 0
    for step in _without_type(start, steps):
        visited += len(nodes)
        nodes = list(_follow(nodes, step))
        visited += len(nodes)
    return nodes, visited


def _without_type(start: Node, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps without the name of the resource's type, which may stand in front."""
    first = steps[0] if steps else None
    if not isinstance(first, Child) or not first.name[:1].isupper():
        return steps
    if first.name not in (start.type_name, "Resource", "DomainResource"):
        raise PatchInapplicable(f"the path starts with {first.name}, but the resource is a {start.type_name}")
    return steps[1:]


def _follow(nodes: Sequence[Node], step: Step) -> Iterable[Node]:
    if isinstance(step, Child):
        return chain.from_iterable(_named(node, step.name) for node in nodes)
    if isinstance(step, OfType):
        return (node for node in nodes if step.datatype in (node.datatype, node.type_name))
    if isinstance(step, Where):
        return (node for node in nodes if all(_meets(node, each) for each in step.conditions))
    return nodes[step.number : step.number + 1 or None]


def _named(node: Node, name: str) -> Iterator[Node]:
    element = find_element(node, name)
    return (child for child in children(node, element) if names(element, child.member, name))


def _meets(node: Node, condition: Condition) -> bool:
    found = [node]
    for name in condition.names:
        found = list(_follow(found, Child(name)))
    values = [each.value for each in found]
    # As in FHIRPath: nothing compares to nothing, and several values are equal to no single one.
    if not values:
        return False
    return (len(values) == 1 and tree.equal(values[0], condition.value)) is condition.equal

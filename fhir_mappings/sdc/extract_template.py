"""Resources made of templates that a form contains. https://hl7.org/fhir/uv/sdc/extraction.html#template-based-extraction

A template is a resource as it will be, but for elements that say by expressions what stands there: templateExtractContext
chooses what the expressions below are about (for each thing it gives the element is there once), templateExtractValue gives
the element itself. An element for which there is nothing is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, text_of
from fhir_mappings.placing import as_type, copied
from fhir_mappings.sdc import names
from fhir_mappings.sdc.extraction import ExtractFault, JsonObject, Spot, below, entry, said_by
from fhir_mappings.sdc.names import extension, extensions, part, value
from schemas.members import members
from schemas.registry import REGISTRY


def declares(row: Mapping[str, Any]) -> bool:
    """Whether an element of a form, or one below it, has a template."""
    urls = {each.get("url") for each in row.get("extension", ())}
    return bool(urls & {names.TEMPLATE_EXTRACT, names.TEMPLATE_BUNDLE}) or any(map(declares, row.get("item", ())))


def extracted(spot: Spot, ids: Callable[[], str]) -> Iterator[JsonObject]:
    """The entries of all templates at a place and below. Raises ExtractFault."""
    contained = {f"#{each.get('id')}": each for each in spot.env.variables["questionnaire"].get("contained", ())}
    yield from _within(spot, contained, ids)


def _within(spot: Spot, contained: Mapping[str, Mapping[str, Any]], ids: Callable[[], str]) -> Iterator[JsonObject]:
    for said in extensions(spot.row, names.TEMPLATE_EXTRACT):
        where = f"{spot.where}.extension('{names.TEMPLATE_EXTRACT}')"
        template = _template(part(said, "template"), contained, where)
        made = filled(template, spot, where)
        if made is not None:
            yield entry(made, said, spot, where, ids)
    bundle = extension(spot.row, names.TEMPLATE_BUNDLE)
    if bundle is not None:
        where = f"{spot.where}.extension('{names.TEMPLATE_BUNDLE}')"
        made = filled(_template(value(bundle), contained, where), spot, where)
        for each in (made or {}).get("entry", ()):
            if "request" not in each or "resource" not in each:
                raise ExtractFault(where, "An entry of the Bundle has a resource and a request")
            yield {"fullUrl": f"urn:uuid:{ids()}", **each}
    for place in below(spot, ids):
        yield from _within(place, contained, ids)


def _template(reference: Any, contained: Mapping[str, Mapping[str, Any]], where: str) -> Mapping[str, Any]:
    name = reference.get("reference", "") if isinstance(reference, Mapping) else ""
    template = contained.get(name)
    if template is None:
        raise ExtractFault(where, f"The form does not contain the template {name[:64]!r}")
    return template


def filled(template: Mapping[str, Any], spot: Spot, where: str) -> JsonObject | None:
    """A resource of a template, None where it says that there is nothing to make."""
    kind = str(template["resourceType"])
    bare = {name: child for name, child in template.items() if name != "id"}
    # An id that an expression gives is one that the resource has; the template's own only names the template.
    found = list(_elements(bare, kind, spot.focus, spot.env, f"{where}.{kind}"))
    return None if not found else {"resourceType": kind, **found[0]}


def _elements(node: Mapping[str, Any], datatype: str, focus: Any, env: Environment, where: str) -> Iterator[JsonObject]:
    """A complex element, once for each thing of its context; none where nothing is left of it."""
    for inner, names_in in _contexts(node, focus, env, where):
        made = _filled(node, datatype, inner, names_in, where)
        if made:
            yield made


def _contexts(node: Mapping[str, Any], focus: Any, env: Environment, where: str) -> Iterator[tuple[Any, Environment]]:
    said = value(extension(node, names.TEMPLATE_CONTEXT))
    if said is None:
        yield focus, env
        return
    place = f"{where}.extension('{names.TEMPLATE_CONTEXT}')"
    name = said.get("name") if isinstance(said, Mapping) else None
    for each in said_by(_text(said, place), focus, env, place):
        yield each, env.with_variables(**{name: each}) if name else env


def _text(said: Any, where: str) -> str:
    if isinstance(said, str):
        return said
    try:
        return text_of(said, where)
    except ExpressionFault as fault:
        raise ExtractFault(fault.where, str(fault)) from fault


def _filled(node: Mapping[str, Any], datatype: str, focus: Any, env: Environment, where: str) -> JsonObject:
    known = members(datatype)
    made: JsonObject = {}
    for name, child in node.items():
        here = f"{where}.{name}"
        if name == "extension":
            kept = [each for each in child if each.get("url") not in (names.TEMPLATE_CONTEXT, names.TEMPLATE_VALUE)]
            found = [one for each in kept for one in _elements(each, "Extension", focus, env, here)]
            made |= {"extension": found} if found else {}
        elif name == "resourceType":
            made[name] = child
        elif name.startswith("_"):
            _beside(made, node, name, known.get(name[1:], (None, ""))[1], focus, env, here)
        elif f"_{name}" in node and name not in made and _is_given(node[f"_{name}"]):
            continue  # the expression beside it says it
        else:
            one = _child(child, known.get(name, (None, ""))[1], focus, env, here)
            made |= {name: one} if one not in (None, [], {}) else {}
    return made


def _child(child: Any, datatype: str, focus: Any, env: Environment, where: str) -> Any:
    """An element as it will be; of one that repeats all there are."""
    if isinstance(child, list):
        return [one for each in child for one in _many(each, datatype, focus, env, where)]
    return next(_many(child, datatype, focus, env, where), None)


def _many(child: Any, datatype: str, focus: Any, env: Environment, where: str) -> Iterator[Any]:
    if not isinstance(child, Mapping):
        yield child
        return
    said = extension(child, names.TEMPLATE_VALUE)
    if said is None:
        kind = str(child.get("resourceType", datatype))
        yield from _elements(child, kind, focus, env, where)
        return
    for inner, names_in in _contexts(child, focus, env, where):
        yield from _values(said, datatype, inner, names_in, where)


def _values(said: Mapping[str, Any], datatype: str, focus: Any, env: Environment, where: str) -> Iterator[Any]:
    place = f"{where}.extension('{names.TEMPLATE_VALUE}')"
    for each in said_by(_text(value(said), place), focus, env, place):
        yield _fitting(each, datatype, place)


def _fitting(found: Value, datatype: str, where: str) -> Any:
    """The value as the type of its element, where that is known."""
    if not datatype or datatype == "xhtml" or "." in datatype:
        return copied(found.data)
    made = as_type(found, datatype)
    if made is None:
        raise ExtractFault(where, f"The element takes {datatype}, not {found.type}")
    return made


def _is_given(beside: Any) -> bool:
    each_beside = beside if isinstance(beside, list) else [beside]
    return any(extension(each or {}, names.TEMPLATE_VALUE) for each in each_beside)


def _beside(
    made: JsonObject,
    node: Mapping[str, Any],
    name: str,
    datatype: str,
    focus: Any,
    env: Environment,
    where: str,
) -> None:
    """What stands beside a primitive: an expression that gives it, or extensions that stay."""
    beside = node[name]
    if not _is_given(beside):
        made[name] = copied(beside)
        return
    primitive = datatype or _named_type(name[1:])
    if isinstance(beside, list):
        found = [one for each in beside for one in _many(each or {}, primitive, focus, env, where)]
        made |= {name[1:]: found} if found else {}
        return
    found = list(_many(beside, primitive, focus, env, where))
    if len(found) > 1:
        raise ExtractFault(where, f"{name[1:]} takes one value, not {len(found)}")
    made |= {name[1:]: found[0]} if found else {}


def _named_type(name: str) -> str:
    """The type that a member's name ends in, such as dateTime of valueDateTime; nothing where it has none."""
    kind = name.removeprefix("value")
    kind = kind[:1].lower() + kind[1:]
    return kind if kind in REGISTRY.elements else ""

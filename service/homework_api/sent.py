"""What a request says, as models: every fault at once, with where it stands. https://www.rfc-editor.org/rfc/rfc6901"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schemas import json
from schemas.nearest import did_you_mean
from schemas.outcome import Issue, error
from service.errors import BadRequest

M = TypeVar("M", bound=BaseModel)
ROOT: Final = "#"
PARAMETER: Final = "?"
"""What the expression of an issue starts with when it names a parameter of the address."""
_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "This has to be there",
        "string_type": "Send a text",
        "int_type": "Send a whole number",
        "int_from_float": "Send a whole number",
        "bool_type": "Send true or false",
        "tuple_type": "Send a list",
        "dict_type": "Send an object",
        "model_type": "Send an object",
        "model_attributes_type": "Send an object",
    }
)
"""What would be right, by pydantic's type of the fault; it says others well enough itself."""


def body(model: type[M], sent: Any) -> M:
    """The body of a request. Raises BadRequest with all that is wrong with it."""
    if not isinstance(sent, dict):
        raise BadRequest("Send a JSON object", code="required", details_code="body-required", expression=(ROOT,))
    faults = list(_nulls(sent, ROOT))
    if faults:
        raise BadRequest(issues=faults)
    try:
        return model.model_validate_json(json.encode(sent), strict=True)
    except ValidationError as fault:
        raise BadRequest(issues=[_body_fault(model, each) for each in fault.errors(include_url=False)]) from None


def parameters(model: type[M], sent: Sequence[tuple[str, str]]) -> M:
    """The parameters of an address. Raises BadRequest with all that is wrong with them."""
    given: dict[str, str] = {}
    for name, value in sent:
        if name in given:
            sentence = f"{name[:80]} is sent twice; send it once"
            raise BadRequest(sentence, expression=(f"{PARAMETER}{name}",), details_code="wrong-value")
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as fault:
        raise BadRequest(issues=[_parameter_fault(model, each) for each in fault.errors(include_url=False)]) from None


def _nulls(value: Any, pointer: str) -> Iterator[Issue]:
    if value is None:
        yield error("structure", "There is no null here: leave out what is not there", pointer, details_code="null")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _nulls(each, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _nulls(each, f"{pointer}/{at}")


def _escaped(name: Any) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[Any]) -> str:
    """The JSON Pointer of a place, as the fragment of an address."""
    return "/".join((ROOT, *map(_escaped, path)))


def _body_fault(model: type[BaseModel], fault: Any) -> Issue:
    path = tuple(fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _members(model, path[:-1])
        sentence = f"There is no member {str(path[-1])[:80]!r} here.{did_you_mean(str(path[-1]), known)}"
        return error("structure", sentence, pointer(path), details_code="unknown-member")
    if fault["type"] == "missing":
        return error("required", _SENTENCES["missing"], pointer(path), details_code="missing-member")
    return error("value", _sentence(fault), pointer(path), details_code="wrong-value")


def _parameter_fault(model: type[BaseModel], fault: Any) -> Issue:
    name = str(fault["loc"][0]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        sentence = f"There is no parameter {name[:80]!r} here.{did_you_mean(name, model.model_fields)}"
        return error("invalid", sentence, f"{PARAMETER}{name[:120]}", details_code="unknown-parameter")
    if fault["type"] == "missing":
        return error("required", _SENTENCES["missing"], f"{PARAMETER}{name}", details_code="missing-parameter")
    return error("value", _sentence(fault), f"{PARAMETER}{name}", details_code="wrong-value")


def _sentence(fault: Any) -> str:
    if fault["type"] == "string_pattern_mismatch":
        return f"This has another form: it matches {fault['ctx']['pattern']}"
    text = _SENTENCES.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    return text[:1].upper() + text[1:]


@cache
def _members(model: type[BaseModel], path: tuple[Any, ...]) -> tuple[str, ...]:
    """The members of the object at a place of the model."""
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = _model_in(field.annotation) if field is not None else None
        if inner is not None:
            model = inner
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is about: itself, that of a list, or of what may be absent."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list, Union, UnionType):
        return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
    return None

"""What an operation is asked: parameters of the address and of a Parameters body alike. https://hl7.org/fhir/R4/operations.html#request"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from schemas import dates, references
from schemas.nearest import did_you_mean
from schemas.validate import validate
from service.call import Call
from service.errors import BadRequest

JsonObject = dict[str, Any]
Value = Any
_OF_ALL: Final = ("_format", "_pretty")


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters by name, each a text of the address or a value of the body; a `resource` is its JSON."""

    given: Mapping[str, tuple[Value, ...]]

    def values(self, name: str) -> tuple[Value, ...]:
        """All values of a parameter, as they were sent."""
        return self.given.get(name, ())

    def value(self, name: str) -> Value | None:
        """The one value of a parameter. Raises BadRequest for several."""
        found = self.values(name)
        if len(found) > 1:
            raise malformed(name, f"{name} is given {len(found)} times; give it once")
        return found[0] if found else None

    def text(self, name: str) -> str | None:
        """A string, code, uri or id."""
        value = self.value(name)
        if value is not None and not isinstance(value, str):
            raise malformed(name, f"{name} is a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Several texts: repeated, or in one parameter with commas between."""
        found: list[str] = []
        for value in self.values(name):
            if not isinstance(value, str):
                raise malformed(name, f"{name} is a text")
            found += [part.strip() for part in value.split(",") if part.strip()]
        return tuple(found)

    def choice(self, name: str, among: Sequence[str], default: str) -> str:
        """One of several words."""
        value = self.text(name)
        if value is not None and value not in among:
            raise malformed(name, f"{name}={value[:64]} is none of {', '.join(among)}.{did_you_mean(value, among)}")
        return value or default

    def date(self, name: str) -> dates.Interval | None:
        """The time that a date or dateTime covers."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return dates.interval(value)
        except ValueError as fault:
            raise malformed(name, f"{name}: {fault}") from fault

    def flag(self, name: str) -> bool:
        """A boolean, false where it is not given."""
        value = self.value(name)
        if value in (None, False, "false"):
            return False
        if value in (True, "true"):
            return True
        raise malformed(name, f"{name} is true or false")

    def number(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number within bounds."""
        value = self.value(name)
        if value is None:
            return default
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number != number or number != int(number) or not least <= number <= most:
            raise malformed(name, f"{name} is a whole number from {least} to {most}")
        return int(number)

    def reference(self, name: str, types: Sequence[str]) -> str | None:
        """A reference to one of the types, as `Type/id`."""
        value = self.value(name)
        written = value.get("reference") if isinstance(value, Mapping) else value
        if written is None:
            return None
        found = references.literal(written) if isinstance(written, str) else None
        if found is None or found.type not in types:
            raise malformed(name, f"{name} is a reference to {' or '.join(types)}, such as {types[0]}/123")
        return f"{found.type}/{found.id}"

    def resource(self, name: str, types: Sequence[str] = ()) -> JsonObject | None:
        """A valid resource in the body."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, dict) or (types and value.get("resourceType") not in types):
            raise malformed(name, f"{name} is a {' or '.join(types) or 'resource'}, in the body's Parameters")
        faults = validate(value)
        if faults:
            raise BadRequest(issues=faults)
        return value


def asked(call: Call, names: Sequence[str], body: str | None = None) -> Asked:
    """What was asked, of the `names` that there are.

    Where the body is no Parameters it is the parameter named by `body`. Raises BadRequest for any other name.
    """
    given: dict[str, list[Value]] = {}
    for name, value in call.params:
        if name not in _OF_ALL:
            given.setdefault(name, []).append(value)
    for name, value in _of_body(call.body, body):
        given.setdefault(name, []).append(value)
    for name in given:
        if name not in names:
            near = did_you_mean(name, names)
            raise malformed(name, f"There is no parameter {name[:64]!r}.{near} There are {', '.join(names) or 'none'}")
    return Asked({name: tuple(values) for name, values in given.items()})


def _of_body(body: Any, own: str | None) -> list[tuple[str, Value]]:
    if body is None:
        return []
    if not isinstance(body, dict):
        raise BadRequest("Send a Parameters resource in the body", code="required", details_code="body-required")
    if body.get("resourceType") != "Parameters":
        if own is None:
            raise BadRequest("Send a Parameters resource in the body", details_code="type-mismatch")
        return [(own, body)]
    faults = validate(body)
    if faults:
        raise BadRequest(issues=faults)
    return [(each["name"], _value(each)) for each in body.get("parameter", ())]


def _value(parameter: Mapping[str, Any]) -> Value:
    for name, value in parameter.items():
        if name == "resource" or name.startswith("value"):
            return value
    return {each["name"]: _value(each) for each in parameter.get("part", ())}


def malformed(name: str, sentence: str) -> BadRequest:
    """The refusal of a parameter."""
    return BadRequest(sentence, code="value", expression=(name,), details_code="parameter-malformed")

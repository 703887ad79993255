"""One request after another and what each was answered, as the documents show them; a test plays them. docs/homework-api.md."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from schemas import json

_FOLDER: Final = files("schemas").joinpath("data", "homework")


class Example(NamedTuple):
    """A request and its answer. In `send`, `body` and `headers` a text `{name}` stands for what an earlier answer gave.

    `keep` says what to keep of the answer: by name the path to it, as `items/0/id`. `actor` sends it: client, therapist or
    app.
    """

    title: str
    actor: str
    send: str
    status: int
    answer: Any = None
    body: Any = None
    headers: Mapping[str, str] = {}
    keep: Mapping[str, str] = {}

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self.send.partition(" ")[0]

    @property
    def path(self) -> str:
        """The address below the API, without its parameters."""
        return self.send.partition(" ")[2].partition("?")[0]


@cache
def examples() -> tuple[Example, ...]:
    """All examples, in the order in which they work."""
    return tuple(Example(**each) for each in json.decode(_FOLDER.joinpath("examples.json").read_bytes()))


def kept(told: tuple[Example, ...]) -> dict[str, Any]:
    """What the answers of the examples gave, by name."""
    return {name: found(each.answer, path) for each in told for name, path in each.keep.items()}


def found(answer: Any, path: str) -> Any:
    """What stands at a path in an answer."""
    for part in path.split("/"):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with what is known in place of `{name}`."""
    if isinstance(value, str):
        if value[:1] == "{" and value[1:-1] in known:
            return known[value[1:-1]]
        for name, each in known.items():
            value = value.replace(f"{{{name}}}", str(each))
        return value
    if isinstance(value, dict):
        return {name: filled(each, known) for name, each in value.items()}
    return [filled(each, known) for each in value] if isinstance(value, list) else value

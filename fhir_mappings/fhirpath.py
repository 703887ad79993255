"""FHIRPath expressions that tenants write into their definitions, evaluated within bounds. https://hl7.org/fhirpath/N1/

The engine is fhirpathpy, loaded when the first expression comes: a worker that sees none pays nothing. Its gaps are mended
in `fhirpath_engine`. An expression is somebody's program, so it is bounded: how long it is, how large what it looks at
may be, and how many steps all the expressions of one piece of work may take together.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, lru_cache
from time import thread_time
from typing import Any, Final

LANGUAGES: Final = ("text/fhirpath",)
LONGEST: Final = 4_000
"""Characters of one expression."""
TOKENS: Final = 1_500
"""Parsing takes time with their square: so many take a second, once."""
NODES: Final = 50_000
"""Elements of everything that the expressions of one piece of work look at."""
STEPS: Final = 200_000
SECONDS: Final = 3.0
"""Steps, and time of a processor, of all expressions of one piece of work."""
_KEPT: Final = 512

Weigh = Callable[[Any], Decimal | int | None]
"""The weight of a Coding, or of what holds one; None where it has none."""


class ExpressionFault(ValueError):
    """An expression that cannot be read or evaluated: which, where it stands (FHIRPath) and why."""

    def __init__(self, expression: str, where: str, why: str) -> None:
        shown = expression if len(expression) <= 200 else expression[:200] + "..."
        super().__init__(f"The expression {shown!r} cannot be used: {why}")
        self.expression, self.where, self.why = expression, where, why


@dataclass(frozen=True, slots=True)
class Value:
    """One item of a result: its FHIR type (`Coding`, `string`, `Patient`, `QuestionnaireResponse.item`) and its JSON."""

    type: str
    data: Any


@dataclass(slots=True)
class Budget:
    """How many steps and how much time of a processor are left; runs out with an OverflowError."""

    steps: int = STEPS
    seconds: float = SECONDS
    _until: float = 0.0
    _spent: int = 0

    def begin(self) -> None:
        """From now on the time of this thread counts."""
        self._until = thread_time() + self.seconds

    def end(self) -> None:
        """What was not used is left for the next expression."""
        self.seconds = self._until - thread_time()

    def spend(self, steps: int) -> None:
        """Count steps; now and then look at the time, which few steps can take much of."""
        self.steps -= steps
        self._spent += 1
        if self.steps < 0:
            raise OverflowError("it takes more steps than an expression may")
        if not self._spent % 8 and thread_time() > self._until:
            raise OverflowError("it takes more time than an expression may")


@dataclass(frozen=True, slots=True)
class Environment:
    """What expressions can name: `variables` by name without %, each a Value, a resource or another JSON, or several.

    `now` is a FHIR instant. All environments made of one by `with_variables` share one budget.
    """

    now: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    weigh: Weigh | None = None
    budget: Budget = field(default_factory=Budget)

    def with_variables(self, /, **variables: Any) -> "Environment":
        """The same with more names."""
        return Environment(self.now, {**self.variables, **variables}, self.weigh, self.budget)


def environment(now: str, weigh: Weigh | None = None, /, **variables: Any) -> Environment:
    """An Environment for one piece of work. Raises OverflowError when there is more to look at than NODES."""
    if sum(_count(each) for each in variables.values()) > NODES:
        raise OverflowError(f"The resources have more than {NODES} elements together")
    return Environment(now, variables, weigh)


def evaluate(expression: str, focus: Any, env: Environment, where: str) -> list[Value]:
    """What the expression says of `focus` (a Value, a resource, or a list of these). Raises ExpressionFault."""
    tree = _compiled(expression)
    if isinstance(tree, str):
        raise ExpressionFault(expression, where, tree)
    env.budget.begin()
    try:
        found: list[Value] = _engine().evaluate(tree, focus, env)
    except RecursionError as fault:
        raise ExpressionFault(expression, where, "it is nested too deeply") from fault
    except Exception as fault:  # the engine raises plain Exceptions, and whatever Python makes of wrong types
        raise ExpressionFault(expression, where, _engine().explained(fault)) from fault
    finally:
        env.budget.end()
    return found


def holds(expression: str, focus: Any, env: Environment, where: str) -> bool:
    """Whether the expression is true; empty is no yes. Raises ExpressionFault, also for what is no boolean."""
    found = evaluate(expression, focus, env, where)
    if not found:
        return False
    if len(found) > 1 or not isinstance(found[0].data, bool):
        raise ExpressionFault(expression, where, "it should be true or false")
    return found[0].data


def text_of(expression: Any, where: str, languages: Sequence[str] = LANGUAGES) -> str:
    """The text of an Expression. Raises ExpressionFault for a language that is not evaluated here, and for one by reference."""
    if not isinstance(expression, Mapping):
        raise ExpressionFault("", where, "it is no Expression")
    written, language = str(expression.get("expression", "")), expression.get("language")
    if language not in languages:
        why = f"expressions in {language} are not evaluated here, only {' and '.join(languages)}"
        raise ExpressionFault(written, where, why)
    if not written:
        raise ExpressionFault(written, where, "it has no text; expressions by reference are not evaluated here")
    return written


def require_readable(expression: str, where: str) -> None:
    """Raise ExpressionFault for an expression that no evaluation could read."""
    tree = _compiled(expression)
    if isinstance(tree, str):
        raise ExpressionFault(expression, where, tree)


@lru_cache(maxsize=_KEPT)
def _compiled(expression: str) -> Any:
    """The parsed expression, or why it cannot be parsed: both are remembered."""
    if len(expression) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    return _engine().parsed(expression, TOKENS)


@cache
def _engine() -> Any:
    return importlib.import_module("fhir_mappings.fhirpath_engine")


def _count(node: Any) -> int:
    count, waiting = 0, [node]
    while waiting and count <= NODES:
        each = waiting.pop()
        each = each.data if isinstance(each, Value) else each
        count += 1
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
    return count

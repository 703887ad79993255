"""fhirpathpy with its gaps mended and its steps counted. https://hl7.org/fhirpath/N1/ https://hl7.org/fhir/R4/fhirpath.html

Imported by `fhirpath` alone, when the first expression comes. What is mended: syntax errors are errors, `$this` is what it
was again after a function, a boolean element that is false does not select, a resource is found by its type's name also
below a variable, dates are dates, and the functions of FHIR and SDC that are missing. What is bounded: steps, the size of
texts, numbers and collections, and regular expressions, which could run for ever.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from antlr4 import CommonTokenStream, InputStream  # type: ignore[import-untyped]
from antlr4.error.ErrorListener import ErrorListener  # type: ignore[import-untyped]
from antlr4.tree.Tree import ParseTreeWalker  # type: ignore[import-untyped]
from fhirpathpy import engine
from fhirpathpy.engine import nodes
from fhirpathpy.engine.nodes import FP_Quantity, FP_Time, FP_Type, ResourceNode
from fhirpathpy.parser.ASTPathListener import ASTPathListener
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

from fhir_mappings.fhirpath import Budget, Environment, Value
from fhir_mappings.fhirpath_functions import BUDGET, ENVIRONMENT, FUNCTIONS, R4, require_small

_SQUARE: Final = frozenset(("distinct", "isDistinct", "union", "intersect", "exclude", "subsetOf", "supersetOf"))
_WALKS: Final = frozenset(("children", "descendants", "repeat", "answers"))
_SCOPE: Final = ("$this", "$index", "$total")
_SYSTEM: Final = {"Boolean": "boolean", "String": "string", "Integer": "integer", "Decimal": "decimal"}
_MESSAGES: Final = (
    (re.compile(r"Not implemented:? ?(\S+)"), r"there is no function \1() here"),
    (re.compile(r"Attempting to access an undefined environment variable: (\S+)"), r"%\1 has no value here"),
    (re.compile(r"(\S+) wrong arity: got (\d+)"), r"\1() does not take \2 arguments"),
)

_made: Final[Callable[..., Any]] = ResourceNode.create_node
_listener: Final[Callable[[], Any]] = ASTPathListener
_evaluated: Final[Callable[[Any, Any, Any], Any]] = engine.do_eval

nodes.TypeInfo.model = R4


class _Listener(ErrorListener):  # type: ignore[misc]
    def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, message: str, fault: Any) -> None:
        raise SyntaxError(f"it is no FHIRPath: {message[:120]} at character {column + 1}")


def parsed(expression: str, tokens: int) -> Any:
    """The syntax tree, or why there is none."""
    lexer = FHIRPathLexer(InputStream(expression))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_Listener())
    stream = CommonTokenStream(lexer)
    try:
        stream.fill()
        if len(stream.tokens) > tokens:
            return f"it has more than {tokens} words and signs"
        parser: Any = FHIRPathParser(stream)
        parser.removeErrorListeners()
        parser.addErrorListener(_Listener())
        found = parser.entireExpression()
        listener = _listener()
        ParseTreeWalker().walk(listener, found)
    except SyntaxError as fault:
        return str(fault.msg)
    except RecursionError:
        return "it is nested too deeply"
    return listener.parentStack[0]["children"][0]["children"][0]


def evaluate(tree: Any, focus: Any, env: Environment) -> list[Value]:
    """The result of a syntax tree. Raises whatever the engine does; `explained` says it."""
    root = [each for one in _many(focus) for each in [_node(one)]]
    names: dict[str, Any] = {"context": root, "ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct"}
    names["loinc"] = "http://loinc.org"
    variables = {**names, **{name: [_node(each) for each in _many(value)] for name, value in env.variables.items()}}
    context = {
        "dataRoot": root,
        "vars": variables,
        "model": R4,
        "userInvocationTable": FUNCTIONS,
        BUDGET: env.budget,
        ENVIRONMENT: env,
    }
    return [value for item in _counted(context, root, tree) if (value := _value(item)) is not None]


def explained(fault: Exception) -> str:
    """Why an evaluation failed, without anything of the data in it."""
    text = str(fault)
    if isinstance(fault, OverflowError):
        return text if text.startswith("it ") else "a number in it is too large"
    for pattern, sentence in _MESSAGES:
        match = pattern.match(text)
        if match:
            return match.expand(sentence)
    if isinstance(fault, ValueError) and text.startswith("it "):
        return text
    return "its parts are not of the types that its operators and functions take"


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _node(value: Any) -> Any:
    if isinstance(value, Value):
        return _made(value.data, value.type)
    if isinstance(value, dict) and "resourceType" in value:
        return _made(value, value["resourceType"])
    return value


def _value(item: Any) -> Value | None:
    path = item.path if isinstance(item, ResourceNode) else None
    data = item.data if isinstance(item, ResourceNode) else item
    if data is None or (isinstance(data, dict) and list(data) == ["extension"]):
        return None  # what stands beside a primitive is no value
    if isinstance(data, FP_Type):
        return _of_engine(data)
    if isinstance(data, dict):
        return Value(str(data.get("resourceType") or path or "Element"), data)
    if isinstance(data, str) and path is not None and "." not in path:
        return Value(path, data)
    return Value(_SYSTEM.get((path or "").removeprefix("System."), _plain(data)), data)


def _plain(data: Any) -> str:
    if isinstance(data, bool):
        return "boolean"
    if isinstance(data, int):
        return "integer"
    return "decimal" if isinstance(data, Decimal) else "string"


def _of_engine(data: FP_Type) -> Value:
    if isinstance(data, FP_Quantity):
        unit = str(data.unit).strip("'")
        code = FP_Quantity.timeUnitsToUCUM.get(data.unit, data.unit).strip("'")
        return Value(
            "Quantity", {"value": data.value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}
        )
    text = str(getattr(data, "asStr", data))
    if isinstance(data, FP_Time):
        return Value("time", text)
    if "T" not in text:
        return Value("date", text)
    # FHIR asks for a zone where there is a time; the engine's arithmetic forgets it.
    return Value("dateTime", text if re.search(r"(Z|[+-]\d\d:\d\d)$", text) else text + "Z")


def _counted(ctx: Any, data: Any, node: Any) -> Any:
    """One step of an evaluation; those of others who use the engine are left as they are."""
    budget: Budget | None = ctx.get(BUDGET)
    if budget is None:
        return _evaluated(ctx, data, node)
    budget.spend(1)
    kind = node["type"]
    if kind == "MemberInvocation":
        result = _of_type(data, node) or _evaluated(ctx, data, node)
    elif kind == "FunctionInvocation":
        result = _invoked(ctx, data, node, budget)
    else:
        result = _evaluated(ctx, data, node)
    require_small(result, budget)
    return result


def _of_type(data: Any, node: Any) -> list[Any]:
    """The resources in `data` whose type's name the member is: Patient.name begins with one."""
    name = node["children"][0].get("text", "")
    if not name[:1].isupper() or not isinstance(data, list):
        return []
    return [each for each in data if isinstance(each, ResourceNode) and each.path == name]


def _invoked(ctx: Any, data: Any, node: Any, budget: Budget) -> Any:
    name = node["children"][0]["children"][0].get("text", "")
    if name in _SQUARE and isinstance(data, list):
        budget.spend(len(data) ** 2 >> 6)
    scope = {each: ctx[each] for each in _SCOPE if each in ctx}
    result = _evaluated(ctx, data, node)
    if name in _WALKS and isinstance(result, list):
        budget.spend(len(result) << 1)
    for each in _SCOPE:
        if each in scope:
            ctx[each] = scope[each]
        else:
            ctx.pop(each, None)
    return result


engine.do_eval = _counted

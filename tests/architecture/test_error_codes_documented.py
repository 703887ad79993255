"""docs/errors.md names every error code that an answer of Hearth can carry, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from schemas.invariants.table import INVARIANTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text()
ROOMS = ("api", "service", "fhir_mappings", "schemas")
CARRIES_CODE = ("details", "details_code")
"""What parameters and fields are called whose value ends up in `issue.details.coding`."""
NEVER = {"invalid-xhtml"}
"""A div that is no text has another shape, and one that is has a narrative's faults."""

Sources = dict[Path, ast.Module]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Sources:
    return {path: ast.parse(path.read_text()) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


def positions(tree: ast.AST, names: tuple[str, ...]) -> dict[str, int]:
    """Where each function, method or dataclass of `tree` takes an argument of one of these names."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            arguments = [each.arg for each in node.args.args if each.arg != "self"]
        elif isinstance(node, ast.ClassDef):
            arguments = [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
        else:
            continue
        at = next((at for at, each in enumerate(arguments) if each in names), None)
        if at is not None:
            found[node.name] = at
    return found


def arguments(tree: ast.AST, names: tuple[str, ...], where: dict[str, int]) -> Iterator[ast.expr]:
    """What `tree` gives for arguments and class attributes of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in names:
            yield node.value
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = where.get(called, len(node.args))
            if at < len(node.args):
                yield node.args[at]
        elif isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", "") in names:
                    yield each.value


def triples(tree: ast.AST) -> Iterator[ast.expr]:
    """The codes in (issue code, error code, sentence), where a function gathers such."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.returns and "list[tuple[str, str, str]]" in ast.unparse(node.returns):
            yield from (each.elts[1] for each in ast.walk(node) if isinstance(each, ast.Tuple) and len(each.elts) == 3)


def words(expression: ast.expr, names: set[str]) -> Iterator[str]:
    """The texts that an expression can be; a formatted one is made of each of the names."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.IfExp):
        yield from words(expression.body, names)
        yield from words(expression.orelse, names)
    elif isinstance(expression, ast.JoinedStr):
        start = expression.values[0]
        assert isinstance(start, ast.Constant)
        yield from (f"{start.value}{name.lower()}" for name in names)


def codes_in_the_sources() -> set[str]:
    found: set[str] = set()
    trees = sources()
    where: dict[str, int] = {}
    for tree in trees.values():
        where |= positions(tree, CARRIES_CODE)
    for tree in trees.values():
        named = arguments(tree, ("name",), positions(tree, ("name",)))
        names = {word for each in named for word in words(each, set())}
        for expression in (*arguments(tree, CARRIES_CODE, where), *triples(tree)):
            found.update(words(expression, names))
    return found - NEVER


def test_the_tables_of_error_codes_name_those_of_the_sources() -> None:
    first_cells = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    written = [code for cell in first_cells for code in re.findall(r"`([^`]+)`", cell)]
    invariants = {rule.key for rules in INVARIANTS.values() for rule in rules}
    assert sorted(written) == sorted(codes_in_the_sources() - invariants - {"ele-1", "ref-1"})


def test_the_list_of_invariants_names_those_that_are_enforced() -> None:
    (block,) = re.findall(r"^```text\n(.+?)^```", PAGE.partition("## Invariants")[2], re.DOTALL | re.MULTILINE)
    assert block.split() == sorted({rule.key for rules in INVARIANTS.values() for rule in rules} | {"ele-1", "ref-1"})

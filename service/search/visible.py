"""A Grant as SQL on the columns of a row: what its constraint searches find, compiled as any search is.

Within a constraint the rows it looks up are not hidden again: the rule speaks of the data, not of its reader.
"""

from schemas import dates
from service.grant import Grant
from service.search.binder import Binder
from service.search.criterion import criterion
from service.search.reader import Expansion, Reader
from service.search.text import Malformed
from service.search.where import Frame

_OPEN = Frame(lambda letter, type_name, alias: "true")


def visible(grant: Grant, letter: str, type_name: str, tenant_id: int, alias: str, binder: Binder) -> str:
    """The condition under which `grant` allows `letter` (of cruds) on the row `alias` of that type.

    `true` for every row, `false` for none; $1 of the statement is the tenant.
    """
    found = grant.constraints(letter, type_name)
    if found is None:
        return "false"
    if not found:
        return "true"
    made = [_all(constraint, type_name, tenant_id, alias, binder) for constraint in found]
    return f"({' or '.join(made)})"


def _all(constraint: tuple[tuple[str, str], ...], type_name: str, tenant_id: int, alias: str, binder: Binder) -> str:
    mark = len(binder.values)
    reader = Reader(tenant_id, "", dates.clock(), binder)
    try:
        tests = [criterion(reader, type_name, name, value) for name, value in constraint]
    except Malformed:
        tests = []
    # A rule that cannot be understood, or needs more than one statement, allows nothing.
    if not tests or any(isinstance(value, Expansion) for value in binder.values[mark:]):
        del binder.values[mark:]
        return "false"
    return f"({' and '.join(f'({_OPEN.condition(test, type_name, alias)})' for test in tests)})"

"""Grant: what a caller may do, as a question on types and as SQL on rows. No rule means nothing is seen.

https://build.fhir.org/ig/HL7/smart-app-launch/scopes-and-launch-context.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from schemas.scopes import Scope, parse
from service.errors import Forbidden

INTERACTIONS: Final[dict[str, str]] = {
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "search-type": "s",
    "search-system": "s",
    "search-compartment": "s",
    "history-type": "s",
    "history-system": "s",
    "everything": "r",
    "validate": "r",
    "meta": "r",
    "create": "c",
    "update": "u",
    "patch": "u",
    "delete": "d",
}
"""The letter of SMART's cruds that each interaction asks for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing allowed: letters of cruds on one type or `*`, to the rows that `constraint` (a search) finds."""

    type: str
    letters: frozenset[str]
    constraint: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules of one caller; `client_id` names the caller in the audit, cursors and idempotency keys."""

    client_id: str
    rules: tuple[Rule, ...] = ()
    key: str = field(default="")
    """What makes two grants the same to a cache of compiled SQL."""

    def _matching(self, letter: str, type_name: str) -> Iterable[Rule]:
        return (rule for rule in self.rules if letter in rule.letters and rule.type in (type_name, "*"))

    def permits(self, letter: str, type_name: str) -> bool:
        """Whether some rule lets this caller do `letter` (of cruds) on some rows of the type."""
        return any(True for _ in self._matching(letter, type_name))

    def require(self, letter: str, type_name: str) -> None:
        """Raise Forbidden unless `permits`."""
        if not self.permits(letter, type_name):
            raise Forbidden(
                f"The access token has no scope that allows this on {type_name}; "
                f"it would need for example system/{type_name}.{letter}"
            )

    def constraints(self, letter: str, type_name: str) -> tuple[tuple[tuple[str, str], ...], ...] | None:
        """The searches of which a row must match one; `()` means every row, None means no row."""
        found = [rule.constraint for rule in self._matching(letter, type_name)]
        if not found:
            return None
        return () if () in found else tuple(found)


@lru_cache(maxsize=4096)
def from_scope(client_id: str, scope: str) -> Grant:
    """The Grant of a backend client's `system/` scopes; other levels give nothing here."""
    rules = tuple(_rule(item) for item in parse(scope) if item.level == "system")
    return Grant(client_id, rules, scope)


def _rule(scope: Scope) -> Rule:
    return Rule(scope.type, scope.interactions, scope.constraint)


NOBODY: Final = Grant("")
"""The grant of a request without a token."""

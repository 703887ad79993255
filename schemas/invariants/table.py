"""All invariants, by type or by path of nested element."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.invariants.bundles import BUNDLES
from schemas.invariants.datatypes import DATATYPES
from schemas.invariants.definitions import DEFINITIONS
from schemas.invariants.questionnaires import QUESTIONNAIRES
from schemas.invariants.records import RECORDS
from schemas.invariants.rule import Rule
from schemas.invariants.structures import STRUCTURES

INVARIANTS: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    DATATYPES | RECORDS | QUESTIONNAIRES | BUNDLES | DEFINITIONS | STRUCTURES
)

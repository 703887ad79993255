"""Search tokens: 64-bit numbers that stand for (tenant, type, parameter, value) in an index row.

Numbers keep the index a third of the size that text would need. Reference tokens are made of the target's key so that SQL
can make them too (`reference_sql`); that is what chains and `_has` join on.
"""

import uuid
from functools import lru_cache
from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63


def _signed(value: int) -> int:
    return value - (1 << 64) if value & _SIGN else value


@lru_cache(maxsize=65536)
def token(tenant_id: int, type_id: int, param_id: int, text: str) -> int:
    """The token of one value; `text` is `system|code`, `|code` (no system), `*|code` (any system) or `system|`."""
    digest = blake2b(f"{tenant_id}\x1f{type_id}\x1f{param_id}\x1f{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


@lru_cache(maxsize=65536)
def reference_salt(tenant_id: int, type_id: int, param_id: int, target_type_id: int) -> int:
    """What a target's key is mixed with to become the token of a reference to it."""
    return token(tenant_id, type_id, param_id, f"\x1e{target_type_id}")


def reference(tenant_id: int, type_id: int, param_id: int, target_type_id: int, target: uuid.UUID) -> int:
    """The token of a reference from a resource of `type_id` to (`target_type_id`, `target`)."""
    value = target.int
    return _signed(((value >> 64) ^ value ^ reference_salt(tenant_id, type_id, param_id, target_type_id)) & _MASK)


def reference_sql(key: str, salt: str) -> str:
    """SQL for the same token: `key` is an expression of type uuid, `salt` one of type bigint."""
    return f"(substr(uuid_send({key}), 1, 8)::bigint # substr(uuid_send({key}), 9, 8)::bigint # {salt})"

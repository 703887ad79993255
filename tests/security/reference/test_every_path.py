"""One predicate for every path: random clinics and random tokens, each path compared with a slow, plainly written filter.

A difference names the seeds of the clinic and of the policy: they make the same again. Smaller is `POLICIES = [that one]`.
"""

import random
from collections.abc import Iterable
from typing import Any, Final

import pytest

from tests.security.reference import generator, world
from tests.security.reference.comparison import Comparison, told
from tests.security.reference.filter import Filter
from tests.security.reference.writes import Writes

POLICIES: Final = range(12)
MORE: Final = range(100, 112)


async def shown(house: Any, held: world.World, policy: int, amount: int) -> str:
    """What a policy's token is shown otherwise than the filter says; nothing where all is as it should be."""
    access = generator.policy(policy)
    await world.forget_audit(house)
    async with house.client(await generator.token(house, access)) as http:
        chance = random.Random(policy)  # noqa: S311 - made again by its seed
        comparison = Comparison(held, Filter(held, access), http, chance)
        await comparison.reads(amount)
    return f"policy {policy}: {access}\n{told(comparison.found)}" if comparison.found else ""


async def written(house: Any, policy: int, amount: int) -> str:
    """Which writes of a policy's token are answered otherwise than the filter says."""
    access = generator.policy(policy)
    held = await world.load(house)
    async with house.client(await generator.token(house, access)) as http:
        chance = random.Random(policy)  # noqa: S311 - made again by its seed
        writes = Writes(house, access, http, chance, held)
        await writes.attempt(amount)
    return f"policy {policy}: {access}\n{told(writes.found)}" if writes.found else ""


async def differences(house: Any, new_house: Any, seed: int, policies: Iterable[int], amount: int) -> str:
    """Everything that differs in the clinic of a seed, which another tenant has under the same ids."""
    await generator.furnish(await new_house(), seed + 1)
    await generator.furnish(house, seed)
    held = await world.load(house)
    found = [await shown(house, held, seed * 100 + each, amount) for each in policies]
    found += [await written(house, seed * 100 + each, amount) for each in policies]
    return "\n\n".join([f"clinic {seed}", *filter(None, found)]) if any(found) else ""


@pytest.mark.parametrize("seed", range(3))
async def test_every_path_shows_what_the_plain_filter_shows(house: Any, new_house: Any, seed: int) -> None:
    assert not await differences(house, new_house, seed, POLICIES, 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", MORE)
async def test_every_path_shows_what_the_plain_filter_shows_in_many_clinics(
    house: Any, new_house: Any, seed: int
) -> None:
    assert not await differences(house, new_house, seed, range(24), 25)

"""The demo's people and apps are made once, and once more only where something of them is missing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas import dates
from service.demo import casting
from service.demo.cast import FILE, Cast, Person, load, save
from service.oauth import clients
from service.oauth.form import Credentials
from service.people import accounts, second_factor

KEY = b"k" * 32


@pytest.fixture
async def connection(house: Any) -> AsyncIterator[Any]:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        yield connection


async def made(connection: Any, house: Any, data_dir: Path) -> Cast:
    return await casting.ensure(connection, house.tenant_id, house.base, data_dir, KEY)


async def is_right(connection: Any, house: Any, person: Person) -> bool:
    now = dates.clock()
    account = await accounts.check_password(connection, house.tenant_id, person.login, person.password, now)
    for code in person.answers.get("code", ())[1:2]:
        await second_factor.check(connection, house.tenant_id, account.account_id, code, KEY, now)
    return account.has_second_factor == bool(person.key) and account.fhir_user == person.fhir_user


async def test_whoever_is_made_can_sign_in_and_is_kept_for_the_owner_alone(
    house: Any, connection: Any, tmp_path: Path
) -> None:
    cast = await made(connection, house, tmp_path)
    assert cast.people is not None
    assert await is_right(connection, house, cast.people.robin)
    assert await is_right(connection, house, cast.people.kim)
    assert load(tmp_path) == cast
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


async def test_nobody_is_made_twice(house: Any, connection: Any, tmp_path: Path) -> None:
    cast = await made(connection, house, tmp_path)
    assert await made(connection, house, tmp_path) == cast
    assert len(await clients.registered(connection, house.tenant_id)) == 4


async def test_a_lost_file_means_new_passwords_for_the_same_people(house: Any, connection: Any, tmp_path: Path) -> None:
    before = await made(connection, house, tmp_path)
    (tmp_path / FILE).unlink()
    after = await made(connection, house, tmp_path)
    assert before.people is not None
    assert after.people is not None
    assert after.people.robin == replace(before.people.robin, password=after.people.robin.password)
    assert await is_right(connection, house, after.people.robin)
    assert await is_right(connection, house, after.people.kim)


async def test_a_client_that_was_disabled_or_is_of_another_database_is_made_anew(
    house: Any, connection: Any, tmp_path: Path
) -> None:
    cast = await made(connection, house, tmp_path)
    await clients.disable(connection, house.tenant_id, cast.backend.client_id, dates.clock())
    after = await made(connection, house, tmp_path)
    assert after.backend != cast.backend
    assert after.people == cast.people
    save(replace(after, backend=Credentials("of-elsewhere", "secret")), tmp_path)
    assert (await made(connection, house, tmp_path)).backend.client_id != "of-elsewhere"


def test_without_a_file_there_is_no_cast(tmp_path: Path) -> None:
    assert load(tmp_path) is None

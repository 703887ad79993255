"""Local accounts: who is let in, who is not, and that neither an answer nor its time tells which logins there are."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas import dates
from service.people import accounts
from service.people.accounts import Account, NewAccount
from service.people.attempts import SignInRefused

PASSWORD = "teal onion drifts"
WRONG = "teal onion drifted"
NOW = dates.clock()


class Office:
    """A tenant with people in it."""

    def __init__(self, house: Any, api: httpx.AsyncClient) -> None:
        self.house, self.api, self.tenant_id = house, api, house.tenant_id

    def connection(self) -> Any:
        return self.house.app.engine.database.connection(self.tenant_id)

    async def resource(self, type_name: str = "Patient") -> str:
        """A new resource, to be somebody."""
        body: dict[str, Any] = {"resourceType": type_name}
        if type_name == "RelatedPerson":
            body["patient"] = {"reference": await self.resource()}
        answer = await self.api.post(type_name, json=body)
        return f"{type_name}/{answer.json()['id']}"

    async def add(self, login: str = "", **more: Any) -> Account:
        """A new account."""
        fhir_user = more.pop("fhir_user", None) or await self.resource()
        new = {"name": "Robin Oak", "password": PASSWORD} | more
        async with self.connection() as connection:
            return await accounts.add(
                connection,
                self.tenant_id,
                NewAccount(login or f"{uuid4().hex}@example.org", fhir_user=fhir_user, **new),
            )

    async def sign_in(self, login: str, password: str = PASSWORD, seconds: float = 0) -> Account:
        """Who signs in, so many seconds from now."""
        async with self.connection() as connection:
            return await accounts.check_password(
                connection, self.tenant_id, login, password, NOW + timedelta(seconds=seconds)
            )

    async def refused(self, login: str, password: str = WRONG, seconds: float = 0) -> SignInRefused:
        """The refusal of somebody who does not."""
        with pytest.raises(SignInRefused) as refusal:
            await self.sign_in(login, password, seconds)
        return refusal.value


@pytest.fixture
def office(house: Any, api: httpx.AsyncClient) -> Office:
    return Office(house, api)


# Who is refused


async def test_a_wrong_password_an_unknown_login_and_a_disabled_account_get_the_same_answer(office: Office) -> None:
    known, disabled, without = await office.add(), await office.add(), await office.add(password=None)
    async with office.connection() as connection:
        await accounts.set_disabled(connection, office.tenant_id, disabled.account_id, True, NOW)
    answers = [
        await office.refused(known.login),
        await office.refused("nobody@example.org"),
        await office.refused(disabled.login, PASSWORD),
        await office.refused(without.login, PASSWORD),
        await office.refused(""),
        await office.refused("a\0b"),
        await office.refused("x" * 10_000),
        await office.refused("\ud800"),
    ]
    assert len({(str(one), one.retry_after, one.status) for one in answers}) == 1


async def test_a_login_of_one_tenant_is_unknown_in_another(office: Office, new_house: Any) -> None:
    account = await office.add()
    other = await new_house()
    async with office.connection() as connection:
        with pytest.raises(SignInRefused):
            await accounts.check_password(connection, other.tenant_id, account.login, PASSWORD, NOW)
        assert await accounts.find(connection, other.tenant_id, account.account_id) is None
        assert await accounts.by_login(connection, other.tenant_id, account.login) is None


async def test_no_secret_stands_in_a_refusal(office: Office) -> None:
    account = await office.add()
    refusal = await office.refused(account.login)
    assert WRONG not in str(refusal) + refusal.reason
    assert account.login not in str(refusal) + refusal.reason


# Who is let in


async def test_who_knows_the_password_signs_in_however_the_login_is_typed(office: Office) -> None:
    account = await office.add("Robin.Ößk@Example.ORG")
    for typed in ("robin.ösSk@example.org", " ROBIN.O\u0308ßK@example.org "):
        assert await office.sign_in(typed) == account

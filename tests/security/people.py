"""A tenant with people in it, who sign in, and are refused, by the functions that the pages use."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pyotp
import pytest

from schemas import dates
from service.people import accounts, second_factor, sessions
from service.people.accounts import Account, NewAccount
from service.people.attempts import SignInRefused
from service.people.sessions import Session

PASSWORD: Final = "teal onion drifts"
WRONG: Final = "teal onion drifted"
NOW: Final = dates.clock()


class Office:
    """Accounts of one tenant; `seconds` are from the begin of the test run."""

    PASSWORD = PASSWORD
    WRONG = WRONG

    def __init__(self, house: Any, api: httpx.AsyncClient) -> None:
        self.house, self.api, self.tenant_id = house, api, house.tenant_id
        self.key = house.app.engine.settings.secret()

    def connection(self) -> Any:
        return self.house.app.engine.database.connection(self.tenant_id)

    def at(self, seconds: float = 0) -> datetime:
        return NOW + timedelta(seconds=seconds)

    async def resource(self, type_name: str = "Patient") -> str:
        """A new resource, to be somebody."""
        body: dict[str, Any] = {"resourceType": type_name}
        if type_name == "RelatedPerson":
            body["patient"] = {"reference": await self.resource()}
        answer = await self.api.post(type_name, json=body)
        return f"{type_name}/{answer.json()['id']}"

    async def add(self, login: str = "", **more: Any) -> Account:
        """A new account, of a Patient of its own."""
        fhir_user = more.pop("fhir_user", None) or await self.resource()
        new = {"name": "Robin Oak", "password": PASSWORD} | more
        made = NewAccount(login or f"{uuid4().hex}@example.org", fhir_user=fhir_user, **new)
        async with self.connection() as connection:
            return await accounts.add(connection, self.tenant_id, made)

    async def check(self, login: str, password: str = PASSWORD, seconds: float = 0) -> Account:
        """Who comes with this login and password."""
        async with self.connection() as connection:
            return await accounts.check_password(connection, self.tenant_id, login, password, self.at(seconds))

    async def refused(self, login: str, password: str = WRONG, seconds: float = 0) -> SignInRefused:
        """The refusal of whoever comes with them."""
        return await self.refusal(self.check(login, password, seconds))

    async def refusal(self, attempt: Awaitable[Any]) -> SignInRefused:
        """The refusal of an attempt that is to fail."""
        with pytest.raises(SignInRefused) as refused:
            await attempt
        return refused.value

    async def open(self, account: Account, second_factor: bool = False, seconds: float = 0) -> str:
        """The cookie of a new session."""
        async with self.connection() as connection:
            return await sessions.open(connection, self.tenant_id, account.account_id, second_factor, self.at(seconds))

    async def session(self, cookie: str | None, seconds: float = 0) -> Session | None:
        """The session of a cookie."""
        async with self.connection() as connection:
            return await sessions.find(connection, self.tenant_id, cookie, self.at(seconds))

    async def enrol(self, account: Account) -> tuple[pyotp.TOTP, tuple[str, ...]]:
        """A second factor for the account, confirmed by the code of a minute ago: the phone's app and the recovery codes."""
        async with self.connection() as connection:
            setup = await second_factor.start(connection, self.tenant_id, account, self.key, "Hearth")
            phone = pyotp.TOTP(setup.secret)
            codes = await second_factor.confirm(
                connection, self.tenant_id, account.account_id, phone.at(self.at(-60)), self.key, self.at(-60)
            )
        return phone, codes

    async def show(self, account: Account, code: str, seconds: float = 0) -> None:
        """Show a code."""
        async with self.connection() as connection:
            await second_factor.check(connection, self.tenant_id, account.account_id, code, self.key, self.at(seconds))

    async def row(self, account: Account) -> Any:
        """What the database holds of the account."""
        async with self.connection() as connection:
            return await connection.fetchrow(
                "select * from account where tenant_id = $1 and account_id = $2", self.tenant_id, account.account_id
            )

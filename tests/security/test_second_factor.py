"""The second factor: each code once, guesses limited, and nothing of it readable in the database."""

import asyncio
from typing import Any
from xml.etree import ElementTree

import pyotp
import pytest

from service.errors import Conflict, Unavailable
from service.people import accounts, policy, second_factor
from service.people.attempts import FIRST_WAIT_SECONDS, FREE, SignInRefused

# Refusals


async def test_a_code_is_refused_the_second_time(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    code = phone.at(office.at())
    await office.show(account, code)
    refusal = await office.refusal(office.show(account, code))
    assert code not in str(refusal) + refusal.reason


async def test_of_the_same_code_at_once_one_is_taken(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    code = phone.at(office.at())
    answers = await asyncio.gather(*(office.show(account, code) for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in answers if one is not None] == [SignInRefused] * 4


async def test_an_older_code_than_the_last_is_refused(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    await office.show(account, phone.at(office.at()))
    await office.refusal(office.show(account, phone.at(office.at(-30))))


async def test_the_code_that_confirmed_it_is_used(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    await office.refusal(office.show(account, phone.at(office.at(-60)), -60))


@pytest.mark.parametrize("seconds", [-90, -60, 60, 90])
async def test_a_code_of_another_time_is_refused(office: Any, seconds: int) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    await office.refusal(office.show(account, phone.at(office.at(seconds + 600)), 600))


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "\0" * 6, "x" * 10_000, "\ud800"])
async def test_what_is_no_code_is_refused(office: Any, code: str) -> None:
    account = await office.add()
    await office.enrol(account)
    await office.refusal(office.show(account, code))


async def test_a_code_of_another_account_is_refused(office: Any) -> None:
    account, other = await office.add(), await office.add()
    await office.enrol(account)
    phone, recovery = await office.enrol(other)
    await office.refusal(office.show(account, phone.at(office.at())))
    await office.refusal(office.show(account, recovery[0]))


async def test_who_has_no_second_factor_cannot_show_one(office: Any) -> None:
    account = await office.add()
    await office.refusal(office.show(account, "123456"))
    async with office.connection() as connection:
        setup = await second_factor.start(connection, office.tenant_id, account, office.key, "Hearth")
    await office.refusal(office.show(account, pyotp.TOTP(setup.secret).at(office.at())))


async def test_after_five_wrong_codes_one_has_to_wait(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    for _ in range(FREE):
        assert (await office.refusal(office.show(account, "000000"))).retry_after is None
    right = phone.at(office.at())
    assert (await office.refusal(office.show(account, right))).retry_after == FIRST_WAIT_SECONDS
    await office.show(account, phone.at(office.at(FIRST_WAIT_SECONDS)), FIRST_WAIT_SECONDS)


async def test_of_many_guesses_at_once_five_are_looked_at(office: Any) -> None:
    account = await office.add()
    await office.enrol(account)
    refusals = await asyncio.gather(*(office.refusal(office.show(account, f"{at:06}")) for at in range(10)))
    assert sorted(one.retry_after or 0 for one in refusals) == [0] * FREE + [FIRST_WAIT_SECONDS] * FREE


async def test_a_recovery_code_is_taken_once(office: Any) -> None:
    account = await office.add()
    _, codes = await office.enrol(account)
    answers = await asyncio.gather(*(office.show(account, codes[3]) for _ in range(4)), return_exceptions=True)
    assert [type(one) for one in answers if one is not None] == [SignInRefused] * 3
    async with office.connection() as connection:
        assert await second_factor.recovery_codes_left(connection, office.tenant_id, account.account_id) == 9


async def test_a_second_factor_cannot_be_replaced_while_it_holds(office: Any) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    async with office.connection() as connection:
        with pytest.raises(Conflict):
            await second_factor.start(connection, office.tenant_id, account, office.key, "Hearth")
        assert await second_factor.pending(connection, office.tenant_id, account, office.key, "Hearth") is None
    await office.show(account, phone.at(office.at()))


async def test_a_secret_that_was_shown_before_does_not_confirm_a_later_one(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        first = await second_factor.start(connection, office.tenant_id, account, office.key, "Hearth")
        await second_factor.start(connection, office.tenant_id, account, office.key, "Hearth")
        confirm = second_factor.confirm(
            connection, office.tenant_id, account.account_id, pyotp.TOTP(first.secret).at(office.at()), office.key,
            office.at(),
        )  # fmt: skip
        await office.refusal(confirm)


async def test_the_secret_cannot_be_read_in_the_database(office: Any) -> None:
    account = await office.add()
    phone, codes = await office.enrol(account)
    row = await office.row(account)
    assert phone.byte_secret() not in row["totp_secret"]
    assert not {code.replace("-", "").encode() for code in codes} & set(row["recovery_hashes"])
    async with office.connection() as connection:
        with pytest.raises(Unavailable):
            await second_factor.check(
                connection, office.tenant_id, account.account_id, phone.at(office.at()), b"another secret", office.at()
            )


# What is taken


@pytest.mark.parametrize("seconds", [-30, 0, 30])
async def test_a_phone_may_be_half_a_minute_off(office: Any, seconds: int) -> None:
    account = await office.add()
    phone, _ = await office.enrol(account)
    code = phone.at(office.at(seconds + 600))
    await office.show(account, f" {code[:3]} {code[3:]} ", 600)


async def test_a_recovery_code_is_taken_however_it_is_typed(office: Any) -> None:
    account = await office.add()
    _, codes = await office.enrol(account)
    await office.show(account, codes[0].upper().replace("-", " "))
    await office.show(account, codes[1].replace("-", ""))


async def test_new_recovery_codes_end_the_old_ones(office: Any) -> None:
    account = await office.add()
    _, old = await office.enrol(account)
    async with office.connection() as connection:
        new = await second_factor.new_recovery_codes(connection, office.tenant_id, account.account_id)
    assert len({*old, *new}) == 2 * second_factor.RECOVERY_CODES
    await office.refusal(office.show(account, old[0]))
    await office.show(account, new[0])


async def test_what_is_begun_can_be_shown_again_and_removed(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        setup = await second_factor.start(connection, office.tenant_id, account, office.key, "Hearth clinic")
        assert await second_factor.pending(connection, office.tenant_id, account, office.key, "Hearth clinic") == setup
        assert pyotp.parse_uri(setup.uri).issuer == "Hearth clinic"
        assert ElementTree.fromstring(setup.svg).tag == "svg"  # noqa: S314
        await second_factor.remove(connection, office.tenant_id, account.account_id)
        assert await second_factor.pending(connection, office.tenant_id, account, office.key, "Hearth") is None
    await office.enrol(account)
    async with office.connection() as connection:
        await second_factor.remove(connection, office.tenant_id, account.account_id)
        found = await accounts.find(connection, office.tenant_id, account.account_id)
    assert found is not None
    assert not found.has_second_factor


# Who needs one


async def test_the_sign_in_is_complete_only_after_its_steps(office: Any) -> None:
    fhir_user = await office.resource("Practitioner")
    account = await office.add(fhir_user=fhir_user, password_until=office.at(60))
    cookie = await office.open(account)
    session = await office.session(cookie)
    assert policy.step(account, session, "optional") == "change-password"
    async with office.connection() as connection:
        await accounts.set_password(connection, office.tenant_id, account, "seven wet clouds", office.at())
    account = await office.check(account.login, "seven wet clouds")
    session = await office.session(await office.open(account))
    assert policy.step(account, session, "optional") is None
    assert policy.step(account, session, "practitioners") == "set-up-second-factor"
    assert policy.step(account, session, "everybody") == "set-up-second-factor"
    await office.enrol(account)
    account = await office.check(account.login, "seven wet clouds")
    for required in ("optional", "practitioners", "everybody"):
        assert policy.step(account, session, required) == "second-factor"
    shown = await office.session(await office.open(account, second_factor=True))
    assert policy.step(account, shown, "everybody") is None


@pytest.mark.parametrize(("type_name", "needs"), [("Practitioner", True), ("Patient", False), ("RelatedPerson", False)])
async def test_the_policy_tells_practitioners_from_others(office: Any, type_name: str, needs: bool) -> None:
    account = await office.add(fhir_user=await office.resource(type_name))
    assert policy.needs_second_factor(account, "practitioners") is needs
    assert policy.needs_second_factor(account, "everybody")
    assert not policy.needs_second_factor(account, "optional")

"""Local accounts: who is let in, who is not, and that neither an answer nor its time tells which logins there are."""

import asyncio
import time
from statistics import median
from typing import Any

import argon2
import pytest

from service import tenants
from service.errors import Conflict, HearthError, NotFound, TooManyRequests, Unprocessable
from service.oauth import authorizations, token
from service.oauth.authorizations import NewAuthorization
from service.people import accounts, attempts, passwords
from service.people.accounts import Account
from service.people.attempts import FIRST_WAIT_SECONDS, FREE, LONGEST_WAIT_SECONDS, SignInRefused
from service.people.passwords import PasswordRefused

# Who is refused


async def test_a_wrong_password_an_unknown_login_and_a_disabled_account_get_the_same_answer(office: Any) -> None:
    known, disabled, without = await office.add(), await office.add(), await office.add(password=None)
    async with office.connection() as connection:
        await accounts.set_disabled(connection, office.tenant_id, disabled.account_id, True, office.at())
    answers = [
        await office.refused(known.login),
        await office.refused("nobody@example.org"),
        await office.refused(disabled.login, office.PASSWORD),
        await office.refused(without.login, office.PASSWORD),
        await office.refused(""),
        await office.refused("a\0b"),
        await office.refused("x" * 10_000),
        await office.refused("\ud800"),
    ]
    assert len({(str(one), one.retry_after, one.status) for one in answers}) == 1


async def test_a_login_of_one_tenant_is_unknown_in_another(office: Any, new_house: Any) -> None:
    account, other = await office.add(), await new_house()
    async with office.connection() as connection:
        with pytest.raises(SignInRefused):
            await accounts.check_password(connection, other.tenant_id, account.login, office.PASSWORD, office.at())
        assert await accounts.find(connection, other.tenant_id, account.account_id) is None
        assert await accounts.by_login(connection, other.tenant_id, account.login) is None
        assert await accounts.registered(connection, other.tenant_id) == []


async def test_neither_login_nor_password_stands_in_a_refusal(office: Any) -> None:
    account = await office.add()
    refusal = await office.refused(account.login)
    for text in (str(refusal), refusal.reason, repr(refusal.issues)):
        assert office.WRONG not in text
        assert account.login not in text


async def test_an_unknown_login_takes_as_long_as_a_known_one(office: Any) -> None:
    known = [await office.add() for _ in range(4)]
    await office.refused("warm@example.org")

    async def seconds(login: str) -> float:
        begun = time.process_time()
        await office.refused(login)
        return time.process_time() - begun

    pairs = [(await seconds(known[at % 4].login), await seconds(f"nobody{at}@example.org")) for at in range(8)]
    there, nowhere = (median(times) for times in zip(*pairs, strict=True))
    assert 0.6 < nowhere / there < 1.7


async def test_a_known_and_an_unknown_login_cost_one_hash_each(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await office.add()
    await office.refused("warm@example.org")
    verified: list[str] = []

    class Counting(argon2.PasswordHasher):
        def verify(self, stored: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            verified.append(str(stored)[: len("$argon2id$v=19$m=65536,t=3,p=4")])
            return super().verify(stored, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    await office.refused(account.login)
    await office.refused("nobody@example.org")
    assert verified == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2


async def test_after_five_failures_each_further_attempt_has_to_wait_longer(office: Any) -> None:
    account, now, waits = await office.add(), 0.0, []
    for _ in range(FREE):
        assert (await office.refused(account.login, seconds=now)).retry_after is None
    for _ in range(7):
        wait = (await office.refused(account.login, office.PASSWORD, now)).retry_after
        assert wait is not None
        waits.append(wait)
        assert (await office.refused(account.login, seconds=now + wait - 1)).retry_after == 1
        now += wait
        assert (await office.refused(account.login, seconds=now)).retry_after is None
    assert waits == [min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**step) for step in range(7)]


async def test_the_audit_is_told_whose_account_has_to_wait(office: Any) -> None:
    account = await office.add()
    refusals = [await office.refused(account.login) for _ in range(FREE + 1)]
    assert {one.fhir_user for one in refusals} == {account.fhir_user}
    assert refusals[0].reason == "wrong login or password, failure 1"
    assert refusals[-1].reason == "too many failed attempts"
    assert (await office.refused("nobody@example.org")).fhir_user is None


async def test_nobody_is_locked_out_for_good(office: Any) -> None:
    account, now = await office.add(), 0.0
    for _ in range(FREE + 20):
        refusal = await office.refused(account.login, seconds=now)
        now += refusal.retry_after or 0
    wait = (await office.refused(account.login, seconds=now)).retry_after or 0
    assert wait <= LONGEST_WAIT_SECONDS
    assert await office.check(account.login, seconds=now + wait) == account
    for _ in range(FREE - 1):
        assert (await office.refused(account.login, seconds=now + wait)).retry_after is None


async def test_an_unknown_login_has_to_wait_like_a_known_one(office: Any) -> None:
    known = await office.add()

    async def told(login: str) -> list[int | None]:
        return [(await office.refused(login)).retry_after for _ in range(FREE + 2)]

    assert await told(known.login) == await told("nobody@example.org") == [None] * FREE + [FIRST_WAIT_SECONDS] * 2


async def test_of_many_guesses_at_once_five_are_looked_at(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account, looked_at = await office.add(), 0

    async def looked(stored: str | None, password: str) -> bool:
        nonlocal looked_at
        looked_at += 1
        await asyncio.sleep(0.05)
        return False

    monkeypatch.setattr(passwords, "matches", looked)
    refusals = await asyncio.gather(*(office.refused(account.login) for _ in range(20)))
    assert looked_at == FREE
    assert sorted(one.retry_after or 0 for one in refusals) == [0] * FREE + [FIRST_WAIT_SECONDS] * (20 - FREE)


async def test_more_people_at_once_than_can_be_hashed_are_asked_to_come_back(office: Any) -> None:
    at_once = passwords.AT_ONCE + passwords.WAITING_MOST
    answers = await asyncio.gather(*(passwords.matches(None, "x") for _ in range(at_once + 3)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, TooManyRequests)]
    assert len(refused) == 3
    assert all(one.retry_after for one in refused)
    assert await passwords.matches(None, "x") is False


async def test_who_is_asked_to_come_back_has_not_failed(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await office.add()
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "WAITING_MOST", -passwords.AT_ONCE)
        for _ in range(FREE + 1):
            with pytest.raises(TooManyRequests):
                await office.check(account.login)
    assert await office.check(account.login) == account


# Who is let in


async def test_who_knows_the_password_signs_in_however_the_login_is_typed(office: Any) -> None:
    account = await office.add("Robin.Ößk@Example.ORG")
    assert account.login == "robin.össk@example.org"
    for typed in ("robin.ösSk@example.org", " ROBIN.O\u0308ßK@example.org "):
        assert await office.check(typed) == account


async def test_a_success_forgets_the_failures_before_it(office: Any) -> None:
    account = await office.add()
    for _ in range(3):
        for _ in range(FREE - 1):
            await office.refused(account.login)
        await office.check(account.login)


async def test_a_password_hashed_with_older_parameters_is_hashed_anew_when_it_is_used(office: Any) -> None:
    account, old = await office.add(), argon2.PasswordHasher(1, 1024, 1).hash(office.PASSWORD)
    async with office.connection() as connection:
        await connection.execute(
            "update account set password_hash = $3 where tenant_id = $1 and account_id = $2",
            office.tenant_id, account.account_id, old,
        )  # fmt: skip
    await office.refused(account.login)
    assert (await office.row(account))["password_hash"] == old
    await office.check(account.login)
    assert not passwords.is_outdated((await office.row(account))["password_hash"])
    await office.check(account.login)


# Which accounts there can be


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ({"login": "robin oak"}, Unprocessable),
        ({"login": " "}, Unprocessable),
        ({"login": "robin\n@example.org"}, Unprocessable),
        ({"login": "x" * 255}, Unprocessable),
        ({"name": " "}, Unprocessable),
        ({"name": "x" * 201}, Unprocessable),
        ({"language": "fr"}, Unprocessable),
        ({"break_glass": True}, Unprocessable),
        ({"clearance": ("XYZ",)}, Unprocessable),
        ({"clearance": ("client-only",)}, Unprocessable),
        ({"password": "short"}, PasswordRefused),
        ({"fhir_user": "Patient/nobody"}, NotFound),
        ({"fhir_user": "Person/1"}, Unprocessable),
        ({"fhir_user": "Patient"}, Unprocessable),
        ({"fhir_user": "Patient/a/b"}, Unprocessable),
        ({"fhir_user": "PractitionerRole/1"}, Unprocessable),
    ],
)
async def test_no_account_is_made_of_what_cannot_be_one(
    office: Any, new: dict[str, Any], fault: type[HearthError]
) -> None:
    with pytest.raises(fault):
        await office.add(**new)
    async with office.connection() as connection:
        assert await accounts.registered(connection, office.tenant_id) == []


async def test_a_deleted_resource_is_nobody(office: Any) -> None:
    fhir_user = await office.resource()
    await office.api.delete(fhir_user)
    with pytest.raises(NotFound):
        await office.add(fhir_user=fhir_user)


async def test_a_resource_of_another_tenant_is_nobody(office: Any, new_house: Any) -> None:
    other = await new_house()
    async with other.client(await other.token()) as http:
        await http.put("Patient/theirs", json={"resourceType": "Patient", "id": "theirs"})
    with pytest.raises(NotFound):
        await office.add(fhir_user="Patient/theirs")


async def test_a_login_and_a_person_are_of_one_account(office: Any) -> None:
    account = await office.add()
    with pytest.raises(Conflict, match="an account '"):
        await office.add(account.login.upper())
    with pytest.raises(Conflict, match="has an account"):
        await office.add(fhir_user=account.fhir_user)


@pytest.mark.parametrize("type_name", ["Patient", "Practitioner", "RelatedPerson"])
async def test_an_account_is_somebody_of_the_tenant(office: Any, type_name: str) -> None:
    fhir_user = await office.resource(type_name)
    account = await office.add(fhir_user=fhir_user, language="nl", name=" Robin\u00a0 Oak ", clearance=("SUD", "V"))
    assert (account.fhir_user, account.language, account.name) == (fhir_user, "nl", "Robin Oak")
    assert account.clearance == ("SUD", "V")
    assert account.has_password
    assert not any((account.is_admin, account.break_glass, account.has_second_factor, account.disabled))


async def test_the_database_holds_no_password(office: Any) -> None:
    account = await office.add()
    assert office.PASSWORD not in repr(dict(await office.row(account)))


# Another password


async def test_who_does_not_know_the_old_password_cannot_change_it(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        change = accounts.change_password(
            connection, office.tenant_id, account, office.WRONG, "seven wet clouds", office.at()
        )
        await office.refusal(change)
    assert await office.check(account.login) == account


@pytest.mark.parametrize(("new", "fault"), [("short", "too-short"), ("teal onion drifts", "unchanged")])
async def test_a_change_to_a_bad_password_leaves_the_old_one(office: Any, new: str, fault: str) -> None:
    account = await office.add()
    cookie = await office.open(account)
    async with office.connection() as connection:
        with pytest.raises(PasswordRefused) as refused:
            await accounts.change_password(connection, office.tenant_id, account, office.PASSWORD, new, office.at())
    assert refused.value.fault == fault
    assert await office.check(account.login) == account
    assert await office.session(cookie) is not None


async def test_after_a_change_only_the_new_password_is_right(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        await accounts.change_password(
            connection, office.tenant_id, account, office.PASSWORD, "seven wet clouds", office.at()
        )
    await office.refused(account.login, office.PASSWORD)
    assert await office.check(account.login, "seven wet clouds") == account


async def test_a_generated_password_has_to_be_changed_and_ends_after_a_week(office: Any) -> None:
    account = await office.add(password_until=office.at() + accounts.ONCE_LASTS)
    assert account.must_change_password
    last = accounts.ONCE_LASTS.total_seconds()
    assert (await office.refused(account.login, office.PASSWORD, last)).retry_after is None
    assert await office.check(account.login, seconds=last - 1) == account
    async with office.connection() as connection:
        await accounts.change_password(
            connection, office.tenant_id, account, office.PASSWORD, "seven wet clouds", office.at()
        )
    changed: Account = await office.check(account.login, "seven wet clouds", last + 1)
    assert not changed.must_change_password


async def test_an_operator_who_sets_a_password_ends_the_waiting(office: Any) -> None:
    account = await office.add()
    for _ in range(FREE + 1):
        await office.refused(account.login)
    async with office.connection() as connection:
        await accounts.set_password(connection, office.tenant_id, account, "seven wet clouds", office.at())
    assert await office.check(account.login, "seven wet clouds") == account


async def test_failures_are_forgotten_after_a_day(office: Any) -> None:
    for _ in range(FREE):
        await office.refused("nobody@example.org")
    async with office.connection() as connection:
        await attempts.purge(connection, office.tenant_id, office.at())
        assert (await office.refused("nobody@example.org")).retry_after is not None
        await attempts.purge(connection, office.tenant_id, office.at(1) + attempts.KEPT)
    assert (await office.refused("nobody@example.org")).retry_after is None


# What practitioners see


async def test_no_token_of_the_old_policy_is_issued_while_it_changes(office: Any) -> None:
    account = await office.add(fhir_user=await office.resource("Practitioner"))
    expires = office.at(600)
    async with office.connection() as connection:
        consent = NewAuthorization("app", account.account_id, b"", office.at(), "user/*.rs", {}, None, expires)
        authorization_id = await authorizations.add(connection, office.tenant_id, consent, office.at())
        await connection.execute(
            "insert into oauth_client (tenant_id, client_id, name, scope) values ($1, 'app', 'App', '')",
            office.tenant_id,
        )
        async with connection.transaction():
            standing = await authorizations.standing(connection, office.tenant_id, authorization_id)
            changing = asyncio.create_task(change(office, "tenant"))
            await asyncio.sleep(0.1)
            assert not changing.done()
            access = standing.access("app", "user/*.rs", expires, None)
            issued = await token.mint(connection, office.tenant_id, access, office.at())
        await changing
        assert access.reach == "care-team"
        assert await token.access(connection, office.tenant_id, issued, office.at()) is None
        standing = await authorizations.standing(connection, office.tenant_id, authorization_id)
        assert standing.reach == "tenant"


async def change(office: Any, reach: str) -> None:
    async with office.connection() as connection:
        await tenants.set_practitioner_access(connection, office.house.name, reach, office.at())

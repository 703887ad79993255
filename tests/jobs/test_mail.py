"""Mail leaves over TLS or not at all, and what a mail server says decides whether it is tried again."""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from service.reminders import mail
from service.settings import Settings
from service.webhooks.post import Attempt, Fate
from tests.jobs.beside import posting
from tests.unit.service.test_public_web import Hosts

NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
SERVER: Final = mail._server


def trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    return context


async def send(url: str, to: str = "ann@example.org") -> Attempt:
    return await mail.send(url, "care@hearth.test", to, "Ein Gruß", "Für Sie ✓", uuid4(), NOW)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and the certificate that has to be trusted."""
    Hosts(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context, tmp_path / "cert.pem"


async def test_a_mail_arrives_as_it_was_written() -> None:
    async with posting() as post:
        assert await send(post.url) == Attempt(Fate.ARRIVED)
    (one,) = post.mails
    payload = one.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().strip() == "Für Sie ✓"
    assert one["Auto-Submitted"] == "auto-generated"
    assert (one["To"], post.to) == ("ann@example.org", ["ann@example.org"])


@pytest.mark.parametrize(
    ("reply", "fate"),
    [("450 busy", Fate.LATER), ("452 full", Fate.LATER), ("550 unknown", Fate.NEVER), ("554 refused", Fate.NEVER)],
)
async def test_what_the_server_says_decides(reply: str, fate: Fate) -> None:
    async with posting(reply) as post:
        found = await send(post.url)
    assert (found.fate, found.answer) == (fate, int(reply[:3]))
    assert post.mails == []


async def test_a_mailbox_that_the_server_does_not_have_is_not_named_in_what_is_kept() -> None:
    async with posting() as post:

        async def refuse(*_: Any) -> str:
            return "550 5.1.1 no ann@example.org here"

        post.handle_RCPT = refuse  # type: ignore[attr-defined]
        found = await send(post.url)
    assert found.fate is Fate.NEVER
    assert "ann" not in str(found)


async def test_nobody_at_home_is_for_later() -> None:
    assert (await send("smtp://127.0.0.1:1")).fate is Fate.LATER


async def test_a_server_that_nobody_vouches_for_gets_nothing(tls: Any) -> None:
    async with posting(tls=tls[0]) as post:
        found = await send(post.url)
    assert found.fate is Fate.LATER
    assert post.mails == []


async def test_after_starttls_it_signs_in(tls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LoginPassword] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        seen.append(given)
        return AuthResult(success=given == LoginPassword(b"hearth", b"p@ss word"))

    async with posting(tls_context=tls[0], authenticator=check, auth_required=True) as post:
        host = post.url.removeprefix("smtp://")
        assert (await send(f"smtp://hearth:p%40ss%20word@{host}")).fate is Fate.LATER  # nobody vouches for it
        assert seen == []
        monkeypatch.setattr(mail, "_server", lambda url: {**SERVER(url), "tls_context": trusting(tls[1])})
        assert (await send(f"smtp://hearth:p%40ss%20word@{host}")).fate is Fate.ARRIVED
        assert (await send(f"smtp://hearth:wrong@{host}")).fate is Fate.LATER
    assert len(post.mails) == 1
    assert seen[0] == LoginPassword(b"hearth", b"p@ss word")


@pytest.mark.parametrize(
    ("url", "port", "use_tls", "start_tls"),
    [
        ("smtps://mail.example", 465, True, False),
        ("smtp://mail.example", 587, False, True),
        ("smtp://user:word@mail.example:2525", 2525, False, True),
        ("smtp://localhost:25", 25, False, None),
    ],
)
def test_another_host_is_never_spoken_to_without_tls(url: str, port: int, use_tls: bool, start_tls: bool) -> None:
    found = mail._server(url)
    assert (found["port"], found["use_tls"], found["start_tls"]) == (port, use_tls, start_tls)


@pytest.mark.parametrize(
    "wrong",
    [{"smtp_url": "http://mail.example"}, {"smtp_url": "smtp://a b"}, {"smtp_url": "smtp://x"}, {"smtp_from": "me"}],
)
def test_settings_of_mail_that_cannot_work_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="smtp"):
        Settings(**wrong)  # type: ignore[arg-type]

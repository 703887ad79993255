"""Reminders as e-mail: plain text, sent over SMTP with TLS. https://www.rfc-editor.org/rfc/rfc5321, https://www.rfc-editor.org/rfc/rfc8314"""

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from service.webhooks.post import Attempt, Fate

_SECONDS_MOST: Final = 20.0
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


async def send(smtp_url: str, sender: str, to: str, title: str, text: str, message_id: UUID, now: datetime) -> Attempt:
    """Hand the mail to the server of `smtp_url`, once. What a server says of a mailbox may name it, and is not repeated."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, title
    message["Date"] = format_datetime(now)
    # The same whenever the mail is sent again: a mailbox shows it once.
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].rstrip('>')}>"
    message["Auto-Submitted"] = "auto-generated"  # no absence notice comes back: RFC 3834
    message.set_content(text)
    try:
        await aiosmtplib.send(message, **_server(smtp_url))
    except aiosmtplib.SMTPRecipientsRefused as fault:
        return _refused(max(each.code for each in fault.recipients))
    except aiosmtplib.SMTPAuthenticationError as fault:
        return Attempt(Fate.LATER, fault.code, "the mail server does not accept our password")
    except aiosmtplib.SMTPResponseException as fault:
        return _refused(fault.code)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as fault:
        return Attempt(Fate.LATER, None, f"the mail server cannot be reached ({type(fault).__name__})")
    return Attempt(Fate.ARRIVED)


def _refused(code: int) -> Attempt:
    return Attempt(Fate.NEVER if code >= 500 else Fate.LATER, code, f"the mail server answered {code}")


def _server(smtp_url: str) -> dict[str, Any]:
    """How to reach the server: smtps is TLS from the start, smtp begins with STARTTLS, which only this host may do without."""
    url = urlsplit(smtp_url)
    tls = url.scheme == "smtps"
    return {
        "hostname": url.hostname,
        "port": url.port or (465 if tls else 587),
        "username": unquote(url.username) if url.username else None,
        "password": unquote(url.password) if url.password else None,
        "use_tls": tls,
        "start_tls": False if tls else (None if url.hostname in _LOOPBACK else True),
        "timeout": _SECONDS_MOST,
    }

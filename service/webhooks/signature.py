"""Messages to other people's servers, signed so that they know us and know each message again.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """A secret as its owner keeps it: whsec_ and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def headers(secret: str, message_id: str, body: bytes, now: datetime) -> Mapping[str, str]:
    """What goes with the body; `message_id` is the same whenever the message is sent again."""
    seconds = str(int(now.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{_signature(secret, message_id, seconds, body)}",
    }


def _signature(secret: str, message_id: str, seconds: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join([message_id.encode(), seconds.encode(), body])
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")

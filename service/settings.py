"""Every setting of Hearth, from HEARTH_* variables; docs/settings.md is the same table for people."""

import os
import re
import secrets
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "HEARTH_"
MIB: Final = 1 << 20
KEY_BYTES: Final = 32
_SMTP_URL: Final = re.compile(r"smtps?://[^/\s]+/?")


class Settings(BaseSettings):
    """One process's settings, fixed at its start; what is not set is derived from what is."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path(".hearth"),
        description="Where Hearth keeps its files: the embedded PostgreSQL, its secret, the audit spool",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="A PostgreSQL 18 to use, as `postgresql://user:password@host/database`; unset, an embedded one",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on")
    port: int = Field(default=8080, ge=1, le=65535, description="The port to listen on")
    jobs: bool = Field(
        default=True,
        description="Whether the server works on jobs too; off, `hearth work` has to run beside it",
    )
    workers: int = Field(default=1, ge=1, le=256, description="How many server processes share the port")
    base_url: str = Field(
        default_factory=lambda data: _base_url(data),
        pattern=r"^https?://[^\s?#]*[^\s?#/]$",
        description="The public URL in front of `/fhir`, without a slash at its end; derived from host and port",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Addresses and networks, or `*`, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is logged"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="A JSON object a line, or text for a terminal"
    )
    pool_max: int = Field(default=22, ge=1, description="Database connections that each worker opens at most")
    tenant_concurrency: int = Field(
        default_factory=lambda data: max(1, data["pool_max"] * 3 // 4),
        ge=1,
        description="Calls of one tenant that one worker carries out at once; three quarters of the connections",
    )
    statement_timeout_ms: int = Field(default=10_000, ge=100, description="How long a database statement may take")
    request_limit_bytes: int = Field(default=16 * MIB, ge=1024, description="The largest request body accepted")
    page_count: int = Field(
        default=50, ge=1, description="Entries on a page of search results or history, without `_count`"
    )
    page_count_max: int = Field(
        default=1000, ge=1, le=1000, description="The most entries on a page, whatever `_count` asks"
    )
    include_limit: int = Field(
        default=1000, ge=1, description="The most resources that `_include` and `_revinclude` add to a page"
    )
    access_token_seconds: int = Field(
        default=600, ge=60, le=3600, description="How long an access token that speaks for a person is valid"
    )
    refresh_idle_days: int = Field(
        default=90, ge=1, le=365, description="After how many days without use a refresh token (`offline_access`) ends"
    )
    backend_token_seconds: int = Field(
        default=300, ge=60, le=3600, description="How long an access token of a client that speaks for itself is valid"
    )
    session_idle_minutes: int = Field(
        default=15, ge=1, le=24 * 60, description="After how many minutes without use a person has to sign in again"
    )
    session_hours: int = Field(
        default=8, ge=1, le=24 * 7, description="After how many hours a person has to sign in again, used or not"
    )
    second_factor: Literal["optional", "practitioners", "everybody"] = Field(
        default="practitioners", description="Who cannot sign in without a second factor"
    )
    rate_token: int = Field(
        default=600, ge=0, description="Token requests a minute of one client at one address; 0 is no limit"
    )
    rate_authorize: int = Field(
        default=120, ge=0, description="Authorization and pushed requests a minute of one client at one address"
    )
    rate_sign_in: int = Field(default=20, ge=0, description="Attempts to sign in a minute of one login at one address")
    rate_introspect: int = Field(
        default=1200, ge=0, description="Introspections and revocations a minute of one client at one address"
    )
    rate_register: int = Field(default=20, ge=0, description="Registrations of clients a minute at one address")
    allow_loopback_jwks: bool = Field(
        default=False,
        description="Whether a client may be registered whose `jwks_uri` is http on this host: for development",
    )
    rate_calendar: int = Field(
        default=60, ge=0, description="Requests a minute for one calendar feed at one address; 0 is no limit"
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Where mail goes out, as `smtps://user:password@host:465`, or `smtp://` with STARTTLS; unset, nowhere",
    )
    smtp_from: str | None = Field(
        default=None, pattern=r"^\S+@\S+$", description="The address that reminders by e-mail come from"
    )
    allow_loopback_webhooks: bool = Field(
        default=False, description="Whether webhooks may be http on this host: for development"
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs page cursors, seals keys; the same on every host. Unset, a file `secret` in the data directory",
    )
    audit_spool_dir: Path = Field(
        default_factory=lambda data: data["data_dir"] / "audit",
        description="Where audit records of reads wait on local disk; `audit` in the data directory",
    )
    embedded_shared_buffers: str = Field(
        default="128MB", pattern=r"^\d+(kB|MB|GB)$", description="The embedded PostgreSQL's cache"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for least, most in (
            ("tenant_concurrency", "pool_max"),
            ("page_count", "page_count_max"),
        ):
            if getattr(self, least) > getattr(self, most):
                raise ValueError(f"{least} may not be more than {most}")
        if self.smtp_url is not None:
            if not _SMTP_URL.fullmatch(self.smtp_url.get_secret_value()):
                raise ValueError("smtp_url is smtps://user:password@host:465, or smtp:// for STARTTLS")
            if self.smtp_from is None:
                raise ValueError("smtp_url needs smtp_from, the address that mail comes from")
        return self

    def secret(self) -> bytes:
        """The key of cursors and sealed data, made at its first use. Raises PermissionError when others may read it."""
        if self.secret_key is not None:
            return self.secret_key.get_secret_value().encode()
        return _secret_file(self.data_dir / "secret")


def _base_url(data: dict[str, Any]) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(data["host"], data["host"])  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{data['port']}"


def _secret_file(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        own = path.with_name(f"secret.{os.getpid()}")
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        # Of processes that start at once, the first one's file becomes the secret, whole.
        try:
            os.link(own, path)
        except FileExistsError:
            pass
        finally:
            own.unlink()
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} may be read by others; make it private: chmod 600 {path}")
    return path.read_bytes()


def unknown_variables(environment: dict[str, str]) -> dict[str, str | None]:
    """HEARTH_* variables that are no setting, each with the one it may have meant: no typo goes unnoticed."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    unknown = (name for name in environment if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(get_close_matches(name, known, 1, 0.8)), None) for name in unknown}

"""People, their sessions, and what an authorization server keeps: authorizations, codes, refresh tokens, launches, keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _time(name: str, **options: object) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), **options)  # type: ignore[arg-type]


def _texts(name: str, default: str = "{}") -> sa.Column[object]:
    return sa.Column(name, sa.ARRAY(sa.Text), nullable=False, server_default=sa.text(f"'{default}'"))


def _flag(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def _tenant() -> sa.Column[object]:
    return sa.Column("tenant_id", sa.Integer, nullable=False)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    _clients()
    _people()
    _authorizations()
    _keys()


def _clients() -> None:
    op.add_column(
        "tenant",
        sa.Column("practitioner_access", sa.Text, nullable=False, server_default=sa.text("'care-team'")),
    )
    op.alter_column("oauth_client", "secret_hash", nullable=True)
    for column in (
        sa.Column("auth_method", sa.Text, nullable=False, server_default=sa.text("'client_secret_basic'")),
        _texts("grant_types", "{client_credentials}"),
        _texts("redirect_uris"),
        _texts("origins"),
        sa.Column("jwks", sa.Text),
        sa.Column("jwks_uri", sa.Text),
        sa.Column("launch_url", sa.Text),
        _flag("dpop"),
        _texts("clearance"),
        sa.Column("about", sa.Text, nullable=False, server_default=sa.text("'{}'")),
    ):
        op.add_column("oauth_client", column)
    for column in (
        sa.Column("authorization_id", sa.Uuid),
        sa.Column("account_id", sa.Uuid),
        sa.Column("fhir_user", sa.Text),
        sa.Column("patient", sa.Text),
        sa.Column("reach", sa.Text, nullable=False, server_default=sa.text("''")),
        _texts("clearance"),
        _flag("break_glass"),
        sa.Column("jkt", sa.Text),
    ):
        op.add_column("oauth_token", column)
    op.create_index(
        "oauth_token_authorization",
        "oauth_token",
        ["tenant_id", "authorization_id"],
        postgresql_where=sa.text("authorization_id is not null"),
    )


def _people() -> None:
    op.create_table(
        "account",
        _tenant(),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("fhir_user", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False, server_default=sa.text("'en'")),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_secret", sa.LargeBinary),
        _flag("totp_confirmed"),
        sa.Column("totp_step", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("recovery_hashes", sa.ARRAY(sa.LargeBinary), nullable=False, server_default=sa.text("'{}'")),
        _time("password_until"),
        _time("password_changed", nullable=False, server_default=sa.text("'-infinity'")),
        _texts("clearance"),
        _flag("break_glass"),
        _flag("is_admin"),
        _flag("disabled"),
        sa.Column("upstream_issuer", sa.Text),
        sa.Column("upstream_subject", sa.Text),
        _time("created", nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name="account_pk"),
        sa.UniqueConstraint("tenant_id", "login", name="account_login"),
        sa.UniqueConstraint("tenant_id", "fhir_user", name="account_fhir_user"),
        sa.UniqueConstraint("tenant_id", "upstream_issuer", "upstream_subject", name="account_upstream"),
    )
    op.create_table(
        "account_session",
        _tenant(),
        sa.Column("session_hash", sa.LargeBinary, nullable=False),
        sa.Column("account_id", sa.Uuid, nullable=False),
        _flag("second_factor"),
        _time("created", nullable=False),
        _time("used", nullable=False),
        _time("expires", nullable=False),
        sa.Column("idle", sa.Interval, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "session_hash", name="account_session_pk"),
    )
    op.create_index("account_session_account", "account_session", ["tenant_id", "account_id"])
    op.create_index("account_session_expires", "account_session", ["tenant_id", "expires"])
    op.create_table(
        "sign_in_failure",
        _tenant(),
        sa.Column("subject_hash", sa.LargeBinary, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        _time("latest", nullable=False),
        _time("locked_until"),
        sa.PrimaryKeyConstraint("tenant_id", "subject_hash", name="sign_in_failure_pk"),
    )
    op.create_index("sign_in_failure_latest", "sign_in_failure", ["tenant_id", "latest"])
    op.create_table(
        "upstream_provider",
        _tenant(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("link_claim", sa.Text),
        sa.Column("link_to", sa.Text, nullable=False, server_default=sa.text("'login'")),
        _flag("second_factor"),
        _time("created", nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="upstream_provider_pk"),
    )


def _authorizations() -> None:
    op.create_table(
        "oauth_request",
        _tenant(),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        _time("created", nullable=False),
        _time("expires", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "request_hash", name="oauth_request_pk"),
    )
    op.create_index("oauth_request_expires", "oauth_request", ["tenant_id", "expires"])
    op.create_table(
        "oauth_launch",
        _tenant(),
        sa.Column("handle_hash", sa.LargeBinary, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("fhir_user", sa.Text),
        sa.Column("context", sa.Text, nullable=False),
        _time("created", nullable=False),
        _time("expires", nullable=False),
        _time("used"),
        sa.PrimaryKeyConstraint("tenant_id", "handle_hash", name="oauth_launch_pk"),
    )
    op.create_index("oauth_launch_expires", "oauth_launch", ["tenant_id", "expires"])
    op.create_table(
        "oauth_authorization",
        _tenant(),
        sa.Column("authorization_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Uuid),
        sa.Column("session_hash", sa.LargeBinary),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("context", sa.Text, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("jkt", sa.Text),
        _time("authenticated", nullable=False, server_default=sa.text("now()")),
        _time("created", nullable=False),
        _time("used"),
        _time("expires", nullable=False),
        _time("revoked"),
        sa.PrimaryKeyConstraint("tenant_id", "authorization_id", name="oauth_authorization_pk"),
    )
    op.create_index("oauth_authorization_account", "oauth_authorization", ["tenant_id", "account_id"])
    op.create_index("oauth_authorization_client", "oauth_authorization", ["tenant_id", "client_id"])
    op.create_index("oauth_authorization_expires", "oauth_authorization", ["tenant_id", "expires"])
    op.create_table(
        "oauth_code",
        _tenant(),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("authorization_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text),
        _time("issued", nullable=False),
        _time("expires", nullable=False),
        _time("used"),
        sa.PrimaryKeyConstraint("tenant_id", "code_hash", name="oauth_code_pk"),
    )
    op.create_index("oauth_code_expires", "oauth_code", ["tenant_id", "expires"])
    op.create_table(
        "oauth_refresh",
        _tenant(),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("authorization_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        _time("issued", nullable=False),
        _time("expires", nullable=False),
        _time("used"),
        sa.PrimaryKeyConstraint("tenant_id", "token_hash", name="oauth_refresh_pk"),
    )
    op.create_index("oauth_refresh_authorization", "oauth_refresh", ["tenant_id", "authorization_id"])
    op.create_index("oauth_refresh_expires", "oauth_refresh", ["tenant_id", "expires"])


def _keys() -> None:
    op.create_table(
        "oauth_jti",
        _tenant(),
        sa.Column("jti_hash", sa.LargeBinary, nullable=False),
        _time("expires", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "jti_hash", name="oauth_jti_pk"),
    )
    op.create_index("oauth_jti_expires", "oauth_jti", ["tenant_id", "expires"])
    op.create_table(
        "signing_key",
        _tenant(),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("public_jwk", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        _time("created", nullable=False),
        _time("retired"),
        sa.PrimaryKeyConstraint("tenant_id", "kid", name="signing_key_pk"),
    )

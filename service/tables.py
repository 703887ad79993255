"""The tables of Hearth as SQLAlchemy metadata; hot paths write their SQL themselves, cold paths and alembic use this.

Every table carries tenant_id and every unique key starts with it, so that the store can be distributed by tenant.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata: Final = MetaData()


def _time(name: str, **options: object) -> Column[object]:
    return Column(name, DateTime(timezone=True), **options)  # type: ignore[arg-type]  # SQLAlchemy's overloads


def _texts(name: str, default: str = "{}") -> Column[object]:
    return Column(name, ARRAY(Text), nullable=False, server_default=text(f"'{default}'"))


def _flag(name: str) -> Column[object]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


resource: Final = Table(
    "resource",
    metadata,
    _time("updated", nullable=False),
    _time("d0", nullable=False, server_default=text("'-infinity'")),
    _time("d1"),
    _time("d2"),
    Column("k1", BigInteger),
    Column("k2", BigInteger),
    Column("ident", BigInteger),
    Column("txn", BigInteger, nullable=False, server_default=text("pg_current_xact_id()::text::bigint")),
    Column("present", BigInteger, nullable=False, server_default=text("0")),
    Column("id", Uuid, nullable=False),
    Column("patient", Uuid),
    Column("tenant_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type_id", SmallInteger, nullable=False),
    Column("enc", SmallInteger, nullable=False, server_default=text("0")),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    Column("sel", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("flt", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("ref", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("refk", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("fid", Text),
    Column("words", Text),
    Column("content", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "type_id", "id", name="resource_pk"),
    CheckConstraint("deleted = (content is null)", name="resource_body"),
    Index(
        "resource_patient_date", "tenant_id", "patient", "d0", "k1", "id", postgresql_where=text("patient is not null")
    ),
    Index("resource_updated", "tenant_id", "updated", "id"),
    Index("resource_feed", "tenant_id", "txn", "id"),
    Index("resource_ident", "tenant_id", "ident", postgresql_where=text("ident is not null")),
    Index(
        "resource_hiding", "tenant_id", "type_id", "id", postgresql_where=text("(present & 4611686018427387904) <> 0")
    ),
    Index("resource_sel", "sel", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    postgresql_partition_by="LIST (type_id)",
)

resource_history: Final = Table(
    "resource_history",
    metadata,
    _time("updated", nullable=False),
    Column("txn", BigInteger, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("tenant_id", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type_id", SmallInteger, nullable=False),
    Column("enc", SmallInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("fid", Text),
    Column("content", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "type_id", "id", "version", name="resource_history_pk"),
    Index("resource_history_updated", "tenant_id", "type_id", "updated", "id"),
)

resource_string: Final = Table(
    "resource_string",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("type_id", SmallInteger, nullable=False),
    Column("param", SmallInteger, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("norm", Text(collation="C"), nullable=False),
    Column("value", Text, nullable=False),
    Column("codes", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Index("resource_string_id", "tenant_id", "type_id", "id", "param"),
    Index("resource_string_norm", "tenant_id", "type_id", "param", text('"left"(norm, 200)'), "id"),
)

resource_range: Final = Table(
    "resource_range",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("type_id", SmallInteger, nullable=False),
    Column("param", SmallInteger, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("lo", Numeric, nullable=False),
    Column("hi", Numeric, nullable=False),
    Column("codes", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Index("resource_range_id", "tenant_id", "type_id", "id", "param"),
    Index("resource_range_lo", "tenant_id", "type_id", "param", "lo", "id"),
)

care_link: Final = Table(
    "care_link",
    metadata,
    _time("since", nullable=False),
    _time("until", nullable=False),
    Column("txn", BigInteger, nullable=False, server_default=text("pg_current_xact_id()::text::bigint")),
    Column("source_id", Uuid, nullable=False),
    Column("actor", Uuid, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("tenant_id", Integer, nullable=False),
    Column("source_type", SmallInteger, nullable=False),
    Column("actor_type", SmallInteger, nullable=False),
    Column("deny", Boolean, nullable=False),
    Column("types", ARRAY(SmallInteger)),
    Index("care_link_source", "tenant_id", "source_type", "source_id"),
    Index("care_link_actor", "tenant_id", "actor", "subject"),
    Index("care_link_subject", "tenant_id", "subject"),
)

content_dict: Final = Table(
    "content_dict",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("dict", LargeBinary, nullable=False),
)

tenant: Final = Table(
    "tenant",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    _time("created", nullable=False, server_default=text("now()")),
    Column("practitioner_access", Text, nullable=False, server_default=text("'care-team'")),
    Column("homework", Text),
    UniqueConstraint("name", name="tenant_name"),
)

oauth_client: Final = Table(
    "oauth_client",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary),
    Column("scope", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    _time("created", nullable=False, server_default=text("now()")),
    Column("auth_method", Text, nullable=False, server_default=text("'client_secret_basic'")),
    _texts("grant_types", "{client_credentials}"),
    _texts("redirect_uris"),
    _texts("origins"),
    Column("jwks", Text),
    Column("jwks_uri", Text),
    Column("launch_url", Text),
    _flag("dpop"),
    _texts("clearance"),
    Column("about", Text, nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("tenant_id", "client_id", name="oauth_client_pk"),
)

oauth_token: Final = Table(
    "oauth_token",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    _time("issued", nullable=False),
    _time("expires", nullable=False),
    _time("revoked"),
    Column("authorization_id", Uuid),
    Column("account_id", Uuid),
    Column("fhir_user", Text),
    Column("patient", Text),
    Column("reach", Text, nullable=False, server_default=text("''")),
    _texts("clearance"),
    _flag("break_glass"),
    Column("jkt", Text),
    PrimaryKeyConstraint("tenant_id", "token_hash", name="oauth_token_pk"),
    Index("oauth_token_client", "tenant_id", "client_id"),
    Index("oauth_token_expires", "tenant_id", "expires"),
    Index(
        "oauth_token_authorization",
        "tenant_id",
        "authorization_id",
        postgresql_where=text("authorization_id is not null"),
    ),
)

account: Final = Table(
    "account",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("login", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("fhir_user", Text, nullable=False),
    Column("language", Text, nullable=False, server_default=text("'en'")),
    Column("password_hash", Text),
    Column("totp_secret", LargeBinary),
    _flag("totp_confirmed"),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),
    Column("recovery_hashes", ARRAY(LargeBinary), nullable=False, server_default=text("'{}'")),
    _time("password_until"),
    _time("password_changed", nullable=False, server_default=text("'-infinity'")),
    _texts("clearance"),
    _flag("break_glass"),
    _flag("is_admin"),
    _flag("disabled"),
    Column("upstream_issuer", Text),
    Column("upstream_subject", Text),
    _time("created", nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("tenant_id", "account_id", name="account_pk"),
    UniqueConstraint("tenant_id", "login", name="account_login"),
    UniqueConstraint("tenant_id", "fhir_user", name="account_fhir_user"),
    UniqueConstraint("tenant_id", "upstream_issuer", "upstream_subject", name="account_upstream"),
)

account_session: Final = Table(
    "account_session",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("session_hash", LargeBinary, nullable=False),
    Column("account_id", Uuid, nullable=False),
    _flag("second_factor"),
    _time("created", nullable=False),
    _time("used", nullable=False),
    _time("expires", nullable=False),
    Column("idle", Interval, nullable=False),
    PrimaryKeyConstraint("tenant_id", "session_hash", name="account_session_pk"),
    Index("account_session_account", "tenant_id", "account_id"),
    Index("account_session_expires", "tenant_id", "expires"),
)

sign_in_failure: Final = Table(
    "sign_in_failure",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("subject_hash", LargeBinary, nullable=False),
    Column("failures", Integer, nullable=False),
    _time("latest", nullable=False),
    _time("locked_until"),
    PrimaryKeyConstraint("tenant_id", "subject_hash", name="sign_in_failure_pk"),
    Index("sign_in_failure_latest", "tenant_id", "latest"),
)

upstream_provider: Final = Table(
    "upstream_provider",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("sealed_secret", LargeBinary),
    Column("scope", Text, nullable=False),
    Column("link_claim", Text),
    Column("link_to", Text, nullable=False, server_default=text("'login'")),
    _flag("second_factor"),
    _time("created", nullable=False, server_default=text("now()")),
    PrimaryKeyConstraint("tenant_id", "name", name="upstream_provider_pk"),
)

oauth_request: Final = Table(
    "oauth_request",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("request_hash", LargeBinary, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'{}'")),
    _time("created", nullable=False),
    _time("expires", nullable=False),
    PrimaryKeyConstraint("tenant_id", "request_hash", name="oauth_request_pk"),
    Index("oauth_request_expires", "tenant_id", "expires"),
)

oauth_launch: Final = Table(
    "oauth_launch",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("handle_hash", LargeBinary, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("client_id", Text),
    Column("fhir_user", Text),
    Column("context", Text, nullable=False),
    _time("created", nullable=False),
    _time("expires", nullable=False),
    _time("used"),
    PrimaryKeyConstraint("tenant_id", "handle_hash", name="oauth_launch_pk"),
    Index("oauth_launch_expires", "tenant_id", "expires"),
)

oauth_authorization: Final = Table(
    "oauth_authorization",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("authorization_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("account_id", Uuid),
    Column("session_hash", LargeBinary),
    Column("scope", Text, nullable=False),
    Column("context", Text, nullable=False, server_default=text("'{}'")),
    Column("jkt", Text),
    _time("authenticated", nullable=False, server_default=text("now()")),
    _time("created", nullable=False),
    _time("used"),
    _time("expires", nullable=False),
    _time("revoked"),
    PrimaryKeyConstraint("tenant_id", "authorization_id", name="oauth_authorization_pk"),
    Index("oauth_authorization_account", "tenant_id", "account_id"),
    Index("oauth_authorization_client", "tenant_id", "client_id"),
    Index("oauth_authorization_expires", "tenant_id", "expires"),
)

oauth_code: Final = Table(
    "oauth_code",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("authorization_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("challenge", Text, nullable=False),
    Column("nonce", Text),
    _time("issued", nullable=False),
    _time("expires", nullable=False),
    _time("used"),
    PrimaryKeyConstraint("tenant_id", "code_hash", name="oauth_code_pk"),
    Index("oauth_code_expires", "tenant_id", "expires"),
)

oauth_refresh: Final = Table(
    "oauth_refresh",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("authorization_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    _time("issued", nullable=False),
    _time("expires", nullable=False),
    _time("used"),
    PrimaryKeyConstraint("tenant_id", "token_hash", name="oauth_refresh_pk"),
    Index("oauth_refresh_authorization", "tenant_id", "authorization_id"),
    Index("oauth_refresh_expires", "tenant_id", "expires"),
)

oauth_jti: Final = Table(
    "oauth_jti",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("jti_hash", LargeBinary, nullable=False),
    _time("expires", nullable=False),
    PrimaryKeyConstraint("tenant_id", "jti_hash", name="oauth_jti_pk"),
    Index("oauth_jti_expires", "tenant_id", "expires"),
)

signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("kid", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("public_jwk", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _time("created", nullable=False),
    _time("retired"),
    PrimaryKeyConstraint("tenant_id", "kid", name="signing_key_pk"),
)

conditional_key: Final = Table(
    "conditional_key",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("type_id", SmallInteger, nullable=False),
    Column("key", BigInteger, nullable=False),
    _time("taken", nullable=False),
    PrimaryKeyConstraint("tenant_id", "type_id", "key", name="conditional_key_pk"),
)

idempotency_key: Final = Table(
    "idempotency_key",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("headers", LargeBinary),
    Column("body", LargeBinary),
    _time("created", nullable=False),
    PrimaryKeyConstraint("tenant_id", "client_id", "key", name="idempotency_key_pk"),
    Index("idempotency_key_created", "tenant_id", "created"),
)

reminder_rule: Final = Table(
    "reminder_rule",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("patient", Uuid, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    _flag("opted_out"),
    _time("updated", nullable=False),
    Column("updated_by", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "patient", name="reminder_rule_pk"),
)

reminder: Final = Table(
    "reminder",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("reminder_id", Uuid, nullable=False),
    Column("patient", Uuid, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("channel", Text, nullable=False),
    _time("slot", nullable=False),
    Column("status", Text, nullable=False, server_default=text("'planned'")),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _time("expires", nullable=False),
    PrimaryKeyConstraint("tenant_id", "reminder_id", name="reminder_pk"),
    Index("reminder_expires", "tenant_id", "expires"),
)

webhook: Final = Table(
    "webhook",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("webhook_id", Uuid, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    _texts("events"),
    Column("sealed", LargeBinary, nullable=False),
    Column("rules", Text, nullable=False),
    _time("created", nullable=False),
    _time("disabled"),
    Column("reason", Text),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "webhook_id", name="webhook_pk"),
    Index("webhook_client", "tenant_id", "client_id"),
)

webhook_delivery: Final = Table(
    "webhook_delivery",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("delivery_id", Uuid, nullable=False),
    Column("webhook_id", Uuid, nullable=False),
    Column("number", BigInteger, Identity(always=False), nullable=False),
    Column("event", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    _time("occurred", nullable=False),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _time("attempted"),
    Column("answer", Integer),
    Column("fault", Text),
    _time("expires", nullable=False),
    PrimaryKeyConstraint("tenant_id", "delivery_id", name="webhook_delivery_pk"),
    Index("webhook_delivery_webhook", "tenant_id", "webhook_id", "number"),
    Index("webhook_delivery_expires", "tenant_id", "expires"),
)

calendar_link: Final = Table(
    "calendar_link",
    metadata,
    Column("tenant_id", Integer, nullable=False),
    Column("link_id", Uuid, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("patient", Uuid, nullable=False),
    Column("patient_id", Text, nullable=False),
    _flag("details"),
    Column("language", Text, nullable=False, server_default=text("'en'")),
    _time("created", nullable=False),
    Column("created_by", Text, nullable=False),
    _time("used"),
    _time("revoked"),
    PrimaryKeyConstraint("tenant_id", "link_id", name="calendar_link_pk"),
    UniqueConstraint("tenant_id", "token_hash", name="calendar_link_token"),
    Index("calendar_link_patient", "tenant_id", "patient"),
)

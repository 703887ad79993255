"""What a client can find out about authorization: one source for discovery and the CapabilityStatement.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from dataclasses import dataclass
from typing import Any, Final

from schemas.scopes import PERSONAL
from service.oauth import dpop, jwks, keys
from service.oauth.metadata import ASSERTION_METHOD, GRANT_TYPES, PUBLIC_METHODS, SECRET_METHODS
from service.tenants import DEFAULT

CAPABILITIES: Final = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
"""What is promised. https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#capabilities"""
SCOPES: Final = (
    *PERSONAL,
    *(f"{level}/*.{letters}" for level in ("patient", "user", "system") for letters in ("cruds", "rs")),
)
"""Some that work; any type may stand for `*`, any of the letters in their order behind the dot, and a search behind `?`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request came to: the server's origin and the tenant's name."""

    origin: str
    tenant: str

    @property
    def issuer(self) -> str:
        """As `issuer`."""
        return issuer(self.origin, self.tenant)

    @property
    def fhir_base(self) -> str:
        """As `fhir_base`."""
        return fhir_base(self.origin, self.tenant)

    @property
    def endpoints(self) -> dict[str, str]:
        """As `endpoints`."""
        return endpoints(self.origin, self.tenant)


def issuer(origin: str, tenant: str) -> str:
    """The authorization server's name: its addresses begin with it, its `iss` claims are it."""
    return origin if tenant == DEFAULT else f"{origin}/t/{tenant}"


def fhir_base(origin: str, tenant: str) -> str:
    """The base of the tenant's FHIR API, which `aud` has to name."""
    return f"{issuer(origin, tenant)}/fhir"


def endpoints(origin: str, tenant: str) -> dict[str, str]:
    """The OAuth addresses of a tenant."""
    names = ("authorize", "token", "revoke", "introspect", "register", "par", "launch", "jwks")
    prefix = issuer(origin, tenant)
    return {name: f"{prefix}/oauth/{name}" for name in names} | {"manage": f"{prefix}/apps"}


def configuration(origin: str, tenant: str) -> dict[str, Any]:
    """The body of every discovery document: SMART's, RFC 8414's and OpenID Connect's readers each pass over the rest.

    What works here, and nothing else.
    """
    addresses = endpoints(origin, tenant)
    return {
        "issuer": issuer(origin, tenant),
        "jwks_uri": addresses["jwks"],
        "authorization_endpoint": addresses["authorize"],
        "pushed_authorization_request_endpoint": addresses["par"],
        "token_endpoint": addresses["token"],
        "token_endpoint_auth_methods_supported": [*SECRET_METHODS, ASSERTION_METHOD, *PUBLIC_METHODS],
        "token_endpoint_auth_signing_alg_values_supported": list(jwks.ALGORITHMS),
        "grant_types_supported": list(GRANT_TYPES),
        "registration_endpoint": addresses["register"],
        "introspection_endpoint": addresses["introspect"],
        "introspection_endpoint_auth_methods_supported": [*SECRET_METHODS, ASSERTION_METHOD],
        "introspection_endpoint_auth_signing_alg_values_supported": list(jwks.ALGORITHMS),
        "revocation_endpoint": addresses["revoke"],
        "revocation_endpoint_auth_methods_supported": [*SECRET_METHODS, ASSERTION_METHOD, *PUBLIC_METHODS],
        "revocation_endpoint_auth_signing_alg_values_supported": list(jwks.ALGORITHMS),
        "management_endpoint": addresses["manage"],
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [keys.ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "capabilities": list(CAPABILITIES),
    }

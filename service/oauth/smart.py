"""What a client can find out about authorization: one source for discovery and the CapabilityStatement.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from dataclasses import dataclass
from typing import Any

from service.tenants import DEFAULT


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
    """The body of .well-known/smart-configuration: what works here, and nothing else."""
    addresses = endpoints(origin, tenant)
    return {
        "token_endpoint": addresses["token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/*.cruds", "system/*.rs"],
        "revocation_endpoint": addresses["revoke"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-symmetric", "permission-v1", "permission-v2"],
    }

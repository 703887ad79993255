"""What a client can find out about authorization: one source for discovery and the CapabilityStatement.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
"""

from typing import Any

from service.tenants import DEFAULT


def endpoints(origin: str, tenant: str) -> dict[str, str]:
    """The OAuth addresses of a tenant."""
    prefix = origin if tenant == DEFAULT else f"{origin}/t/{tenant}"
    return {"token": f"{prefix}/oauth/token", "revoke": f"{prefix}/oauth/revoke"}


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

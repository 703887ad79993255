"""The id_token: who signed in, to the app. https://openid.net/specs/openid-connect-core-1_0.html#IDToken

fhirUser: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-identity-data
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from service.oauth.authorizations import Standing
from service.oauth.smart import Place

LIFETIME: Final = timedelta(minutes=5)
"""It is read once, when it arrives."""


def claims(
    place: Place, client_id: str, standing: Standing, scopes: Collection[str], nonce: str | None, now: datetime
) -> dict[str, Any] | None:
    """The claims, None where `openid` was not granted; `fhirUser` only where that was granted too."""
    if "openid" not in scopes:
        return None
    said: dict[str, Any] = {
        "iss": place.issuer,
        "sub": str(standing.account_id),
        "aud": client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "auth_time": int(standing.authenticated.timestamp()),
    }
    if nonce is not None:
        said["nonce"] = nonce
    if "fhirUser" in scopes:
        said["fhirUser"] = f"{place.fhir_base}/{standing.fhir_user}"
    return said

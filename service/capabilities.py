"""The CapabilityStatement, made of the Registry and the route table, so that it is true.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from schemas import json
from schemas.registry import REGISTRY, ResourceType
from service.call import Reply
from service.errors import BadRequest
from service.interactions import operations
from service.interactions.routes import TABLE
from service.interactions.update import FINAL
from service.oauth import smart
from service.search.include import is_canonical
from service.search.reference import targets
from service.tenants import DEFAULT

JsonObject = dict[str, Any]
_RELEASED: Final = "2026-11-25"
_INSTANCE: Final = ("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create",
                    "search-type")  # fmt: skip
_WRITTEN_ONCE: Final = ("read", "vread", "history-instance", "history-type", "create", "search-type")
_MODES: Final = ("full", "normative")
_OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SERVICE: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def reply(base: str, params: Sequence[tuple[str, str]]) -> Reply:
    """The statement for one base. Raises BadRequest for `mode=terminology`, which is not served, and other modes."""
    for name, value in params:
        if name == "mode" and value not in _MODES:
            reason = "Hearth is no terminology server" if value == "terminology" else f"there is no mode {value[:64]!r}"
            raise BadRequest(f"{reason}; ask for mode=full", code="not-supported", expression=("mode",))
    return Reply(200, _statement(base), type="CapabilityStatement")


@lru_cache(maxsize=64)
def _statement(base: str) -> bytes:
    release = version("hearth-fhir")
    return json.encode(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": _RELEASED,
            "kind": "instance",
            "software": {"name": "Hearth", "version": release},
            "implementation": {"description": "Hearth: therapy homework as FHIR R4", "url": base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "patchFormat": ["application/json-patch+json", "application/merge-patch+json", "application/fhir+json"],
            "rest": [
                {
                    "mode": "server",
                    "security": _security(base),
                    "resource": [_resource(each) for each in REGISTRY.types.values() if each.storable],
                    "interaction": [
                        {"code": code} for code in ("transaction", "batch", "search-system", "history-system")
                    ],
                    "searchParam": _params(REGISTRY.types["Basic"], lambda code: code.startswith("_")),
                    "compartment": _compartments(),
                }
            ],
        }
    )


def _security(base: str) -> JsonObject:
    origin, tenant = base.removesuffix("/fhir"), DEFAULT
    if "/t/" in origin:
        origin, _, tenant = origin.rpartition("/t/")
    addresses = smart.endpoints(origin, tenant)
    names = ("authorize", "token", "register", "manage", "introspect", "revoke")
    uris = [{"url": name, "valueUri": addresses[name]} for name in names]
    return {
        "extension": [{"url": _OAUTH_URIS, "extension": uris}],
        "cors": False,
        "service": [{"coding": [{"system": _SERVICE, "code": "SMART-on-FHIR"}], "text": "OAuth 2.0 with SMART scopes"}],
    }


def _resource(each: ResourceType) -> JsonObject:
    final = each.name in FINAL
    offered = [("validate", f"{operations.R4}Resource-validate"), ("meta", f"{operations.R4}Resource-meta")]
    if each.name == "Patient":
        offered.append(("everything", f"{operations.R4}Patient-everything"))
    offered += [(one.name, one.definition.format(type=each.name)) for one in operations.at(each.name)]
    references = [
        param for param in each.search.values() if param.kind == "reference" and targets(each.name, param.code)
    ]
    return {
        "type": each.name,
        "interaction": [{"code": code} for code in (_WRITTEN_ONCE if final else _INSTANCE)],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": not final,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": not final,
        "conditionalDelete": "not-supported" if final else "single",
        "referencePolicy": ["literal", "logical", "local"],
        "searchInclude": ["*", *(f"{each.name}:{param.code}" for param in references)],
        "searchRevInclude": _reverse(each.name),
        "searchParam": _params(each, lambda code: True),
        "operation": [{"name": name, "definition": definition} for name, definition in offered],
    }


def _params(each: ResourceType, wanted: Any) -> list[JsonObject]:
    return [
        {"name": param.code, "definition": param.url, "type": param.kind}
        for param in each.search.values()
        if wanted(param.code)
    ]


@lru_cache(maxsize=256)
def _reverse(name: str) -> list[str]:
    return [
        f"{other.name}:{param.code}"
        for other in REGISTRY.types.values()
        if other.storable
        for param in other.search.values()
        if param.kind == "reference" and name in targets(other.name, param.code) and not is_canonical(param)
    ]


def _compartments() -> list[str]:
    kinds = {kind for each in REGISTRY.types.values() for kind in each.compartments}
    return [f"http://hl7.org/fhir/CompartmentDefinition/{kind.lower()}" for kind in sorted(kinds)]


ROUTES: Final = TABLE
"""What is described here; a test holds the two against each other."""

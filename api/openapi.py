"""The OpenAPI document: FastAPI's own endpoints, and the FHIR API from its route table. https://spec.openapis.org/oas/v3.1.0"""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from schemas.registry import REGISTRY
from service.interactions.operations import BY_NAME
from service.interactions.routes import TABLE

JsonObject = dict[str, Any]
_NAMES: Final = {"T": "{type}", "I": "{id}", "V": "{version}"}
_SUMMARIES: Final = {
    "capabilities": "What this server can do (CapabilityStatement)",
    "transaction": "Carry out a Bundle: batch or transaction",
    "search-system": "Search all types",
    "history-system": "Versions of all resources, newest first",
    "search-type": "Search a type",
    "create": "Create a resource; If-None-Exist makes it conditional",
    "conditional": "Update, patch or delete the one resource that a search finds",
    "history-type": "Versions of a type's resources, newest first",
    "validate": "Validate a resource without writing it",
    "instance": "Read, update, patch or delete a resource",
    "history-instance": "Versions of a resource, newest first",
    "vread": "Read one version",
    "meta": "Profiles, tags and labels of a resource",
    "everything": "All that is known of a patient",
    "search-compartment": "Search within a patient's or practitioner's compartment",
}
_FHIR: Final = "application/fhir+json"
_TYPE: Final = {"$ref": "#/components/schemas/ResourceType"}
_PARTS: Final[dict[str, JsonObject]] = {
    "type": _TYPE,
    "inner": _TYPE,
    "id": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
    "version": {"type": "string", "pattern": "^[1-9][0-9]*$"},
}
_RESOURCE: Final = {"$ref": "#/components/schemas/Resource"}
_OUTCOME: Final = {"$ref": "#/components/schemas/OperationOutcome"}
_SCHEMAS: Final[JsonObject] = {
    "ResourceType": {
        "type": "string",
        "enum": sorted(each.name for each in REGISTRY.types.values() if each.storable),
    },
    "Resource": {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string"}, "id": {"type": "string"}, "meta": {"type": "object"}},
        "additionalProperties": True,
        "description": "A FHIR R4 (4.0.1) resource; /metadata says which types and search parameters are served",
    },
    "OperationOutcome": {
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["severity", "code"],
                    "properties": {
                        "severity": {"enum": ["fatal", "error", "warning", "information"]},
                        "code": {"type": "string"},
                        "details": {"type": "object"},
                        "diagnostics": {"type": "string"},
                        "expression": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
    },
}


def document(web: FastAPI) -> JsonObject:
    """The whole API as one document; the same for every tenant, whose base is `/t/{tenant}/fhir`."""
    described = get_openapi(
        title="Hearth",
        version=version("hearth-fhir"),
        summary="Therapy homework as FHIR R4",
        description="The FHIR API stands at /fhir for the default tenant and at /t/{tenant}/fhir for any other one.",
        routes=web.routes,
    )
    for methods, path, interaction in TABLE:
        address = "/fhir" + "".join(f"/{part}" for part in _named(path))
        for method in methods.split():
            described["paths"].setdefault(address, {})[method.lower()] = _operation(method, address, interaction)
    components = described.setdefault("components", {})
    components.setdefault("schemas", {}).update(_SCHEMAS)
    components["securitySchemes"] = {
        "oauth2": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {
            "system/*.rs": "read and search everything", "system/*.cruds": "everything",
        }}}}
    }  # fmt: skip
    return described


def _named(path: str) -> list[str]:
    parts = path.split("/") if path else []
    return ["{inner}" if part == "T" and at == 2 else _NAMES.get(part, part) for at, part in enumerate(parts)]


def _operation(method: str, address: str, interaction: str) -> JsonObject:
    names = [part[1:-1] for part in address.split("/") if part.startswith("{")]
    operation: JsonObject = {
        "tags": ["fhir"],
        "summary": BY_NAME[interaction].title if interaction in BY_NAME else _SUMMARIES[interaction],
        "operationId": f"{method.lower()}_{address.strip('/').replace('/', '_').replace('{', '').replace('}', '')}",
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _PARTS[name]} for name in names],
        "responses": {
            "default": {
                "description": "A refusal that says what would be right",
                "content": {_FHIR: {"schema": _OUTCOME}},
            },
            "200": {"description": "Done", "content": _answers(interaction)},
        },
    }
    if interaction != "capabilities":
        operation["security"] = [{"oauth2": []}]
    if method in ("POST", "PUT", "PATCH"):
        operation["requestBody"] = {"content": {_FHIR: {"schema": _RESOURCE}}}
    return operation


def _answers(interaction: str) -> JsonObject:
    """What it answers in, by media type."""
    if interaction not in BY_NAME:
        return {_FHIR: {"schema": _RESOURCE}}
    return {name: {"schema": _RESOURCE} if name == _FHIR else {} for name in BY_NAME[interaction].produces}

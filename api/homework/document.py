"""The OpenAPI document of the homework API, from its table, its models and the examples. https://spec.openapis.org/oas/v3.1.0"""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from api.homework.problems import MEDIA_TYPE
from schemas.homework.examples import Example, examples, filled, kept
from schemas.homework.problem import Problem
from service.homework_api.endpoint import Endpoint
from service.homework_api.routes import Asked, route
from service.homework_api.table import ENDPOINTS

JsonObject = dict[str, Any]
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = """\
Therapy homework for app developers. The same data, rights and rules as the FHIR API beside it; every object names its FHIR
resources in `fhir`. At `/api/v1` for the default tenant, at `/t/{tenant}/api/v1` for any other one.

A token is got as for the FHIR API (SMART on FHIR). Each operation names the scopes that it needs, as type and letters:
`Task.ru` is `patient/Task.ru` in a client's app, `user/Task.ru` in a therapist's, `system/Task.ru` in a backend."""
_HEADERS: Final[Mapping[str, JsonObject]] = {
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": 'The `version` that is changed, as `W/"3"`; a client must send it, a therapist may',
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,9}")$'},
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A new random text for each new request; sent again under it, a request is carried out once",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
}
_SCOPES: Final = {
    f"{level}/*.{letters}": f"{what} of {whose}"
    for level, whose in (("patient", "one client"), ("user", "those in care"), ("system", "the whole tenant"))
    for letters, what in (("rs", "read everything"), ("cruds", "read and write everything"))
}


class _Schemas(GenerateJsonSchema):
    """What is absent is left out, so nothing is null; a member's name is title enough."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def get_title_from_name(self, name: str) -> str:
        return ""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if (name, value) != ("default", None)}


def document() -> JsonObject:
    """The whole API as one document; the same for every tenant."""
    models = _models()
    _, defined = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, schema_generator=_Schemas
    )
    paths: JsonObject = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(f"/api/v1/{endpoint.path}", {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hearth homework API",
            "version": version("hearth-fhir"),
            "summary": "Therapy homework for app developers",
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": _plain(defined["$defs"]),
            "parameters": dict(_HEADERS),
            "securitySchemes": {"oauth2": _security()},
        },
        "security": [{"oauth2": []}],
    }


def _models() -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {Problem: None}
    for endpoint in ENDPOINTS:
        found |= {model: None for model in (endpoint.gives, endpoint.takes) if model is not None}
    return list(found)


def _plain(schema: Any) -> Any:
    """The schema without empty titles."""
    if isinstance(schema, dict):
        return {name: _plain(each) for name, each in schema.items() if (name, each) != ("title", "")}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _security() -> JsonObject:
    flows = {
        "authorizationCode": {"authorizationUrl": "/oauth/authorize", "tokenUrl": "/oauth/token", "scopes": _SCOPES},
        "clientCredentials": {"tokenUrl": "/oauth/token", "scopes": _SCOPES},
    }
    return {"type": "oauth2", "flows": flows}


def _operation(endpoint: Endpoint) -> JsonObject:
    needs = ", ".join(f"`{each}`" for each in endpoint.scopes) or "any"
    if endpoint.more:
        needs += "; for parts of the body that may be left out " + ", ".join(f"`{each}`" for each in endpoint.more)
    text = f"{endpoint.description}\n\n" if endpoint.description else ""
    operation: JsonObject = {
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": f"{endpoint.summary}.\n\n{text}Scopes: {needs}.",
        "operationId": endpoint.name,
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
        "security": [{"oauth2": []}],
    }
    if endpoint.takes is not None:
        content: JsonObject = {"schema": _schema(endpoint.takes)}
        shown = {
            each.title: {"value": filled(each.body, kept(examples()))}
            for each in _shown(endpoint)
            if each.body is not None and each.status < 300
        }
        content |= {"examples": shown} if shown else {}
        operation["requestBody"] = {"required": not endpoint.optional, "content": {_JSON: content}}
    return operation


def _parameters(endpoint: Endpoint) -> list[JsonObject]:
    found: list[JsonObject] = [
        {
            "name": part[1:-1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"},
        }
        for part in endpoint.path.split("/")
        if part.startswith("{")
    ]
    asked = endpoint.query.model_json_schema(schema_generator=_Schemas)
    for name, schema in _plain(asked.get("properties", {})).items():
        text = {"description": schema.pop("description")} if "description" in schema else {}
        found.append(
            {"name": name, "in": "query", "required": name in asked.get("required", ()), **text, "schema": schema}
        )
    if endpoint.conditional:
        found.append({"$ref": "#/components/parameters/If-Match"})
    if endpoint.method == "POST":
        found.append({"$ref": "#/components/parameters/Idempotency-Key"})
    return found


def _responses(endpoint: Endpoint) -> JsonObject:
    refused = {MEDIA_TYPE: {"schema": _schema(Problem)}}
    done: JsonObject = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.gives is not None:
        content: JsonObject = {"schema": _page(endpoint.gives) if endpoint.listing else _schema(endpoint.gives)}
        shown = {each.title: {"value": each.answer} for each in _shown(endpoint) if each.status == endpoint.status}
        content |= {"examples": shown} if shown else {}
        done["content"] = {endpoint.media_type: content}
    elif endpoint.media_type != _JSON:
        done["content"] = {endpoint.media_type: {}}
    return {
        str(endpoint.status): done,
        "default": {"description": "Why not, and what would be right", "content": refused},
    }


def _schema(model: type[BaseModel]) -> JsonObject:
    return {"$ref": _REF.format(model=model.__name__)}


def _page(model: type[BaseModel]) -> JsonObject:
    return {
        "type": "object",
        "required": ["items"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "items": _schema(model)},
            "next": {"type": "string", "description": "Send it as `cursor` for what follows; absent at the end"},
        },
    }


@cache
def _by_endpoint() -> Mapping[Endpoint, list[Example]]:
    found: dict[Endpoint, list[Example]] = {}
    for each in examples():
        asked = route(each.method, each.path.split("/"))
        if isinstance(asked, Asked):
            found.setdefault(asked.endpoint, []).append(each)
    return found


def _shown(endpoint: Endpoint) -> list[Example]:
    return _by_endpoint().get(endpoint, [])

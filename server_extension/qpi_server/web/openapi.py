"""The surface as an OpenAPI 3.1 document, made from the table of routes and the wire's structs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from qpi_jupyter._version import __version__
from qpi_jupyter.core import OPEN_TO_ALL

from .table import JSON, Answers, Route

FORM = "application/x-www-form-urlencoded"
_REF = "#/components/schemas/{name}"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiToken": []}]


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document; its paths are relative to the server's base URL."""
    routes = list(routes)
    kinds = _structs(routes)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    refs = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, components)
    for route in routes:
        if route.query is not None:
            components.pop(route.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "QPI lab", "version": __version__, "summary": "A quantum lab inside Jupyter."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiToken": {"type": "apiKey", "in": "header", "name": "X-API-Token"},
            },
        },
    }


def _structs(routes: Iterable[Route]) -> list[type[Struct]]:
    found: dict[type[Struct], None] = {}
    for route in routes:
        for kind in (route.error, route.query, route.body, *chain.from_iterable(map(_kinds, route.answers.values()))):
            if kind is not None and not isinstance(kind, str):
                found[kind] = None
    return list(found)


def _operation(route: Route, refs: Mapping[type[Struct], Any], components: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "x-permission": route.permission.value,
        "security": [] if route.permission in OPEN_TO_ALL else _SECURITY,
        "parameters": _parameters(route, components),
        "responses": {
            **{str(status): _error(status, refs[route.error]) for status in _refusals(route)},
            **{str(status): _answer(status, kind, refs) for status, kind in route.answers.items()},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {FORM if route.form else JSON: {"schema": refs[route.body]}},
        }
    elif route.opens is not None:
        binary = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {route.takes: {"schema": binary}}}
    return operation


def _refusals(route: Route) -> Iterator[int]:
    """The statuses with which a route may refuse."""
    yield from (400, 429, 503)
    if route.permission not in OPEN_TO_ALL:
        yield from (401, 403)
    if "{" in route.path or route.method != "GET":
        yield from (404, 409)
    if route.body is not None or route.opens is not None:
        yield from (413, 422)
    if any(status == 206 for status in route.answers):
        yield from (304, 416)
    yield from route.refuses


def _error(status: int, schema: Any) -> dict[str, Any]:
    if status == HTTPStatus.NOT_MODIFIED:
        return {"description": "Not modified."}
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return {"description": "Nothing of the range is there."}
    content = {"application/json": {"schema": schema}}
    return {"description": f"{HTTPStatus(status).phrase}: the body says why.", "content": content}


def _parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    if route.query is not None:
        for name, schema in components[route.query.__name__]["properties"].items():
            found.append({"name": name, "in": "query", "required": False, "schema": schema})
    found += [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in route.headers]
    return found


def _kinds(answer: Answers) -> tuple[type[Struct] | str, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _answer(status: int, answer: Answers, refs: Mapping[type[Struct], Any]) -> dict[str, Any]:
    if status == HTTPStatus.NO_CONTENT:
        return {"description": "Done."}
    names, content = [], {}
    for kind in _kinds(answer):
        if isinstance(kind, str):
            names.append(kind)
            content[kind] = {"schema": {} if kind == "application/json" else {"type": "string"}}
        else:
            names.append(kind.__name__)
            content["application/json"] = {"schema": refs[kind]}
    return {"description": " or ".join(names), "content": content}

"""The routes of an OpenAPI document, of every version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.exposed.openapi import documented, routes_of
from checks.exposed.routes import trials
from checks.kit.check import NotEvaluated

THREE: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://shop.example/v1/"}],
    "paths": {
        "/orders/{id}": {"get": {}, "delete": {}, "parameters": []},
        "/orders": {
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
                }
            }
        },
    },
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "count": {"type": "integer"},
                    "state": {"enum": ["new", "paid"]},
                    "parent": {"$ref": "#/components/schemas/Order"},
                },
            }
        }
    },
}
TWO: dict[str, Any] = {
    "swagger": "2.0",
    "basePath": "/api",
    "paths": {
        "/users": {
            "put": {"parameters": [{"in": "body", "schema": {"properties": {"name": {"type": "string"}}}}]}
        }
    },
}


def test_every_operation_is_a_route() -> None:
    found = {(route.method, route.path) for route in routes_of(THREE)}
    assert found == {("GET", "/v1/orders/${id}"), ("DELETE", "/v1/orders/${id}"), ("POST", "/v1/orders")}


def test_a_body_follows_its_schema_and_one_that_refers_to_itself_ends() -> None:
    order = next(route for route in routes_of(THREE) if route.method == "POST")
    assert order.body["title"] == "x"
    assert order.body["count"] == 1
    assert order.body["state"] == "new"


def test_version_two() -> None:
    (route,) = routes_of(TWO)
    assert (route.method, route.path, route.body) == ("PUT", "/api/users", {"name": "x"})


def test_nothing_that_could_succeed_is_sent_to_it() -> None:
    order = next(route for route in routes_of(THREE) if route.method == "POST")
    assert not [trial for trial in trials(order) if trial.content and b'"title"' in trial.content]


def test_a_document_is_read_from_the_apps_folder(tmp_path: Path) -> None:
    assert documented(tmp_path, "") == []
    (tmp_path / "openapi.json").write_text(json.dumps(TWO))
    assert len(documented(tmp_path, "openapi.json")) == 1
    with pytest.raises(NotEvaluated, match=r"no .*missing"):
        documented(tmp_path, "missing.json")

"""The API's description is committed, complete, and true of its own examples."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from outlay.api import app
from outlay.api.examples import EXAMPLES
from tests.support import PROJECT

COMMITTED = PROJECT / "docs" / "openapi.json"
COMPONENTS = "#/components/schemas/"
NOT_JSON = {"multipart/form-data", "text/event-stream", "text/plain", "text/csv", "image/*", "image/webp"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return json.loads(json.dumps(app.create().openapi()))


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_description_is_the_committed_one(description):
    """`OUTLAY_UPDATE_SNAPSHOT=1` writes it: its difference is what changes for programs."""
    text = json.dumps(description, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("OUTLAY_UPDATE_SNAPSHOT"):
        COMMITTED.write_text(text)
    assert text == COMMITTED.read_text()


def test_each_operation_has_a_name_of_its_own_and_says_what_it_does(description):
    named = dict(operations(description))
    ids = [operation["operationId"] for operation in named.values()]
    assert len(set(ids)) == len(ids)
    assert [name for name, operation in named.items() if not operation.get("description")] == []


def test_each_operation_tells_the_problems_that_its_callers_meet(description):
    for name, operation in operations(description):
        answers = operation["responses"]
        assert "503" in answers, name
        if operation.get("security") == [{"HTTPBearer": []}]:
            assert "401" in answers, name
        assert ("413" in answers) == ("requestBody" in operation), name
        if any(parameter["name"] == "X-Outlay-Workspace" for parameter in operation.get("parameters", ())):
            assert {"400", "403", "404"} <= answers.keys(), name
        if any(parameter["name"] == "if-match" for parameter in operation.get("parameters", ())):
            assert {"412", "428"} <= answers.keys(), name
        for status, answer in answers.items():
            if status >= "400":
                assert answer["content"] == {"application/problem+json": {"schema": {"$ref": f"{COMPONENTS}Problem"}}}
                assert answer["description"].strip()


def test_everything_that_is_taken_or_given_has_an_example(description):
    used = set()
    for _, operation in operations(description):
        for each in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media_type, content in each.get("content", {}).items():
                if media_type not in NOT_JSON and "schema" in content:
                    schema = content["schema"]
                    used.add(schema.get("items", schema)["$ref"].removeprefix(COMPONENTS))
    assert used == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_one_and_leaves_nothing_out_that_is_told(description, name):
    schema = {**description["components"]["schemas"][name], "components": description["components"]}
    jsonschema_rs.validate(schema, EXAMPLES[name])
    given = set(description["components"]["schemas"][name].get("required", ()))
    assert given <= EXAMPLES[name].keys()

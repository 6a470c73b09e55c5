"""The sandbox's responses agree with Asana's published description, if a copy of it lies beside the checkout."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from perfcopilot_goals.sandbox import Sandbox, World
from perfcopilot_goals_tests.published_description import load_description
from perfcopilot_goals_tests.sandbox.asking import ask


@pytest.fixture(scope="module")
def description() -> Any:
    return nullable_unions(load_description())


def nullable_unions(node: Any) -> Any:
    """The description in which an `allOf` with a nullable part is nullable as a whole.

    The description means "may be null" by a `nullable` inside one part of an `allOf`. A validator ignores that, because
    the other part still demands an object.
    """
    if isinstance(node, list):
        return [nullable_unions(element) for element in node]
    if not isinstance(node, dict):
        return node
    node = {key: nullable_unions(value) for key, value in node.items()}
    if any(isinstance(part, dict) and part.get("nullable") for part in node.get("allOf", [])):
        return {"nullable": True, "anyOf": [{"enum": [None], "nullable": True}, node]}
    return node


def schema_of(description: Any, path: str, status: int) -> Any:
    """The response's schema with everything that its references lead to."""
    responses = description["paths"][path]["get"]["responses"]
    response = next(value for key, value in responses.items() if str(key) == str(status))
    while "$ref" in response:
        response = resolved(description, response)
    schema = response["content"]["application/json"]["schema"]
    return {**schema, "components": description["components"]}


def resolved(description: Any, node: Any) -> Any:
    for name in node["$ref"].removeprefix("#/").split("/"):
        description = description[name]
    return description


def parts(description: Any, schema: Any) -> Iterator[Any]:
    """A schema and all its parts."""
    yield schema
    below = [*schema.get("allOf", []), *schema.get("anyOf", [])]
    if "$ref" in schema:
        below.append(resolved(description, schema))
    for part in below:
        yield from parts(description, part)


def undocumented(description: Any, schema: Any, value: Any, at: str = "") -> list[str]:
    """Paths of the keys in `value` that no part of the schema has."""
    pieces = list(parts(description, schema))
    if isinstance(value, list):
        items = [piece["items"] for piece in pieces if "items" in piece]
        return [key for element in value for key in undocumented(description, {"anyOf": items}, element, at + "[]")]
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        known = [piece["properties"][key] for piece in pieces if key in piece.get("properties", {})]
        found += undocumented(description, {"anyOf": known}, inner, f"{at}.{key}") if known else [f"{at}.{key}"]
    return found


WORKSPACE = "workspace=1201000000000001"
CROWDED = "1205000000000402"  # E003's goal of 130 sub-goals; the first of these has the next gid


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/users/{user_gid}", "/users/me"),
        ("/users", f"/users?limit=100&{WORKSPACE}"),
        ("/workspaces", "/workspaces?limit=1"),
        ("/workspaces/{workspace_gid}", "/workspaces/1201000000000001"),
        ("/goals", f"/goals?{WORKSPACE}"),
        ("/goals", f"/goals?limit=100&{WORKSPACE}"),
        ("/goals/{goal_gid}", "/goals/1205000000000001"),
        ("/goal_relationships", f"/goal_relationships?supported_goal={CROWDED}"),
        ("/goal_relationships", f"/goal_relationships?limit=100&supported_goal={CROWDED}"),
    ],
)
def test_a_response_is_as_described_and_has_no_other_key(
    description: Any, company_asana: Sandbox, path: str, target: str
) -> None:
    response = ask(company_asana, target)
    assert response.status_code == 200
    schema = schema_of(description, path, 200)
    assert [error.message for error in OAS30Validator(schema).iter_errors(response.json())] == []
    assert undocumented(description, schema, response.json()) == []
    assert response.json()["data"]


def test_every_goal_of_the_company_is_as_described_in_full(
    description: Any, company_asana: Sandbox, company: World
) -> None:
    validator = OAS30Validator(schema_of(description, "/goals/{goal_gid}", 200))
    for goal_gid in list(company.goals)[::8]:
        body = ask(company_asana, f"/goals/{goal_gid}").json()
        assert [error.message for error in validator.iter_errors(body)] == []


@pytest.mark.parametrize(
    ("path", "target", "status"),
    [
        ("/goals", "/goals?workspace=abc", 400),
        ("/goals", "/goals?workspace=999", 404),
        ("/goals/{goal_gid}", "/goals/999", 404),
        ("/goal_relationships", "/goal_relationships", 400),
    ],
)
def test_a_refusal_is_as_described(
    description: Any, company_asana: Sandbox, path: str, target: str, status: int
) -> None:
    response = ask(company_asana, target)
    assert response.status_code == status
    schema = schema_of(description, path, status)
    assert [error.message for error in OAS30Validator(schema).iter_errors(response.json())] == []
    assert undocumented(description, schema, response.json()) == []


def test_the_check_itself_sees_a_wrong_type_and_a_strange_key(description: Any) -> None:
    schema = schema_of(description, "/goals", 200)
    wrong = {"data": [{"gid": 5, "name": "Grow", "owner": None, "shoe_size": 43}]}
    assert len(list(OAS30Validator(schema).iter_errors(wrong))) == 1
    assert undocumented(description, schema, wrong) == [".data[].shoe_size"]

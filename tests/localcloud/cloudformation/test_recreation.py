"""What change sets say of replacement, against AWS's own schemas."""

from __future__ import annotations

from typing import Any

import pytest

from inferfleet.localcloud.cloudformation.recreation import CREATE_ONLY, SOMETIMES
from inferfleet.localcloud.cloudformation.resource import ResourceType
from inferfleet.localcloud.cloudformation.resources import TYPES

manager = pytest.importorskip("cfnlint.schema.manager", reason="needs AWS's schemas, which cfn-lint carries")


def schema(resource_type: str) -> tuple[set[str], set[str], set[str]]:
    """Properties of a type that are always, sometimes, and at all in it."""
    found: dict[str, Any] = manager.PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    paths = {path.removeprefix("/properties/") for path in found.get("createOnlyProperties", ())}
    sometimes = {path.removeprefix("/properties/") for path in found.get("conditionalCreateOnlyProperties", ())}
    always = {path for path in paths if "/" not in path}
    sometimes |= {path.split("/")[0] for path in paths if "/" in path}
    return always, sometimes - always, set(found["properties"])


@pytest.mark.parametrize("resource_type", sorted(CREATE_ONLY))
def test_change_sets_call_a_replacement_what_aws_does(resource_type: str) -> None:
    always, sometimes, _ = schema(resource_type)
    assert set(CREATE_ONLY[resource_type]) == always
    assert set(SOMETIMES.get(resource_type, ())) == sometimes


OF_AWS = [item for item in TYPES if item.type.startswith("AWS::")]


@pytest.mark.parametrize("item", OF_AWS, ids=lambda item: item.type)
def test_our_types_replace_what_aws_does(item: ResourceType) -> None:
    always, sometimes, properties = schema(item.type)
    assert set(item.create_only) == always
    assert set(item.sometimes_create_only) == sometimes
    assert (item.tags is not None) == ("Tags" in properties)

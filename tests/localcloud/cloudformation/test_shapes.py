"""Properties of templates as parameters of calls."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from inferfleet.localcloud.cloudformation.shapes import accepted, parameters


@pytest.fixture(scope="module")
def ecs() -> Any:
    return boto3.client("ecs", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def test_names_become_those_of_the_api_and_keys_of_maps_stay(ecs: Any) -> None:
    container = {
        "Name": "api",
        "DockerLabels": {"Team": "Vision"},
        "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "/ecs/api"}},
        "ResourceRequirements": [{"Type": "GPU", "Value": 1}],
    }
    found = parameters(ecs, "RegisterTaskDefinition", {"Family": "api", "ContainerDefinitions": [container]})
    assert found == {
        "family": "api",
        "containerDefinitions": [
            {
                "name": "api",
                "dockerLabels": {"Team": "Vision"},
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}},
                "resourceRequirements": [{"type": "GPU", "value": "1"}],
            }
        ],
    }


def test_texts_become_numbers_and_truth_values(ecs: Any) -> None:
    given = {"ServiceName": "api", "DesiredCount": "2", "EnableExecuteCommand": "true"}
    assert parameters(ecs, "CreateService", given) == {
        "serviceName": "api",
        "desiredCount": 2,
        "enableExecuteCommand": True,
    }


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"ServiceNames": "api"}, "ServiceNames"),
        ({"LoadBalancers": [{"Port": 80}]}, r"LoadBalancers\[0\].Port"),
        ({"DesiredCount": "two"}, "DesiredCount"),
        ({"EnableExecuteCommand": "perhaps"}, "EnableExecuteCommand"),
    ],
)
def test_what_the_api_does_not_know_is_refused_with_its_place(ecs: Any, given: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        parameters(ecs, "CreateService", given)


def test_only_what_a_call_takes_is_handed_to_it(ecs: Any) -> None:
    given = {"DesiredCount": 3, "SchedulingStrategy": "REPLICA"}
    assert accepted(ecs, "UpdateService", given) == {"desiredCount": 3}

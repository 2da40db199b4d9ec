"""Least privilege, as parliament judges it, and rules that let nobody else's events in."""

from __future__ import annotations

import json

import pytest

from inferfleet.recovery.aws.permissions import Scope, agent_grants, lambda_grants, policy
from inferfleet.recovery.aws.rules import rules
from inferfleet.recovery.aws.settings import Settings, settings_from

SCOPE = Scope(
    "111122223333",
    "us-east-1",
    Settings(cluster="gpu", topic="arn:aws:sns:us-east-1:111122223333:gpu-recovery-notifications"),
    ("arn:aws:iam::111122223333:role/dcgm",),
    "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/dcgm",
)


@pytest.mark.parametrize("grants", [lambda_grants, agent_grants])
def test_parliament_finds_nothing_wrong(grants):
    parliament = pytest.importorskip("parliament")
    analyzed = parliament.analyze_policy_string(json.dumps(policy(grants(SCOPE))))
    serious = [item for item in analyzed.findings if item.issue not in ("RESOURCE_STAR",)]
    assert [(item.issue, item.detail) for item in serious] == []


def test_nobody_gets_a_shell_on_the_fleet():
    actions = [action for grant in (*lambda_grants(SCOPE), *agent_grants(SCOPE)) for action in grant.actions]
    assert not [action for action in actions if action.startswith("ssm:") or "*" in action]


def test_harm_needs_the_tag_of_the_cluster():
    for grant in lambda_grants(SCOPE):
        if {"ec2:RebootInstances", "autoscaling:TerminateInstanceInAutoScalingGroup"} & set(grant.actions):
            assert grant.condition == {"StringEquals": {"aws:ResourceTag/inferfleet:recovery": "gpu"}}


def test_rules_name_the_cluster_exactly():
    arn = "arn:aws:ecs:us-east-1:111122223333:cluster/gpu"
    for rule in rules(arn, "gpu"):
        if rule.pattern["source"] == ["aws.ecs"]:
            assert rule.pattern["detail"]["clusterArn"] == [arn]
    assert {rule.function for rule in rules(arn, "gpu")} == {"EcsTaskHandler", "DcgmTaskMonitor", "EcsInstanceMonitor"}


def test_settings_come_from_the_environment_variables_that_users_know():
    settings = settings_from(
        {
            "ECS_CLUSTER_NAME": "my-gpu-cluster",
            "TASK_TABLE_NAME": "my_ecs_task",
            "JOB_TABLE_NAME": "my_ecs_job",
            "NODE_TABLE_NAME": "my_ecs_node",
            "DCGM_HEALTH_CHECK_TASK": "gpu-dcgm-health-check:1",
            "LAMBDA_TIMEOUT_SECONDS": "120",
            "RECOVERY_POLICY": '{"job_attempts": 2}',
        }
    )
    assert (settings.task_table, settings.job_table, settings.node_table) == (
        "my_ecs_task",
        "my_ecs_job",
        "my_ecs_node",
    )
    assert settings.policy.job_attempts == 2


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "ECS_CLUSTER_NAME is not set"),
        ({"ECS_CLUSTER_NAME": "c", "LAMBDA_TIMEOUT_SECONDS": "soon"}, "LAMBDA_TIMEOUT_SECONDS"),
        ({"ECS_CLUSTER_NAME": "c", "RECOVERY_POLICY": "["}, "RECOVERY_POLICY is not JSON"),
        ({"ECS_CLUSTER_NAME": "c", "RECOVERY_POLICY": '{"job_atempts": 2}'}, "did you mean job_attempts"),
        ({"ECS_CLUSTER_NAME": "c", "RECOVERY_POLICY": '{"max_fenced_share": 2}'}, "max_fenced_share"),
        ({"ECS_CLUSTER_NAME": "c", "RECOVERY_POLICY": '{"dry_run": 1}'}, "dry_run"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(environment, problem):
    with pytest.raises(ValueError, match=problem):
        settings_from(environment)

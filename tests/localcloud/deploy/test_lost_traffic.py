"""A plan knows where the traffic is, which CloudFormation does not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.plan import FIRST_TARGETS, StackPlan, lost_traffic
from inferfleet.deploy.operations.stacks import Action, Change
from tests.localcloud.cloudformation.emulator import Emulator, running

os.environ.setdefault("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
NAME = "fleet-api"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(tmp_path_factory.mktemp("cloud")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Our constructs in an app of somebody's own: a network and a load balancer that shifts."""
    cdk = pytest.importorskip("aws_cdk", reason="needs the CDK; `pip install inferfleet[cdk]`, and Node.js")
    from constructs import Construct

    from inferfleet.config.fleet_network import Network
    from inferfleet.config.fleet_service import LoadBalancer
    from inferfleet.deploy.stacks import FleetNetwork, ServiceBalancer

    app = cdk.App(outdir=str(tmp_path_factory.mktemp("app")), builtin_cloud_formation_validation=False)
    stack = cdk.Stack(app, NAME)
    ServiceBalancer(
        Construct(stack, "Service"),
        "LoadBalancer",
        name="fleet-alb",
        settings=LoadBalancer(access_logs=False),
        network=FleetNetwork(stack, "Network", settings=Network()),
        port=8080,
        health_path="/ready",
        shifting=True,
    )
    template = Path(app.synth().directory) / f"{NAME}.template.json"
    return dict(json.loads(template.read_text())["Resources"])


def test_a_changed_rule_that_would_turn_the_traffic_back_is_told_before(
    aws: Emulator, resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    stack = aws.stack(NAME)
    assert stack.create(resources) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    (rule,) = [key for key, item in resources.items() if item["Type"].endswith("::ListenerRule")]
    groups = sorted(key for key, item in resources.items() if item["Type"].endswith("::TargetGroup"))
    assert sum(key.startswith(FIRST_TARGETS) for key in groups) == 1
    changed = Change(Action.UPDATE, rule, resources[rule]["Type"])
    plan = [StackPlan(NAME, Action.UPDATE, "CREATE_COMPLETE", (changed,))]
    account = Account(aws.environment["AWS_REGION"])
    assert lost_traffic(account, plan) == ()

    weights = [{"TargetGroupArn": ids[key], "Weight": 0 if key.startswith(FIRST_TARGETS) else 100} for key in groups]
    forward = [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]
    aws.client("elbv2").modify_rule(RuleArn=ids[rule], Actions=forward)
    (told,) = lost_traffic(account, plan)
    assert told.startswith(f"{NAME}: {rule} sends all requests to the second target group")
    assert "inferfleet restart" in told

"""A user's own CDK app with our constructs in it: `examples/cdk-app`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inferfleet.deploy.lint import engine
from inferfleet.deploy.operations.tools import SILENCE

EXAMPLE = Path(__file__).parents[4] / "examples" / "cdk-app"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template that the app makes; the app itself asks cdk-nag, and fails on a finding."""
    pytest.importorskip("aws_cdk", reason="needs the CDK; `pip install inferfleet[cdk]`, and Node.js")
    pytest.importorskip("cdk_nag")
    out = tmp_path_factory.mktemp("app") / "cdk.out"
    context = json.dumps(json.loads((EXAMPLE / "cdk.json").read_text())["context"])
    environment = {**os.environ, **SILENCE, "CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": context}
    command = json.loads((EXAMPLE / "cdk.json").read_text())["app"].split()
    assert command[0] == "python3"
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / "Labels.template.json"


def test_its_template_has_no_finding(template: Path) -> None:
    found = engine.lint_texts({template.name: template.read_text()}).findings
    assert [(finding.rule, finding.message) for finding in found] == []


def test_what_is_granted_in_the_app_is_in_the_role_of_our_service(template: Path) -> None:
    resources = json.loads(template.read_text())["Resources"]
    (role,) = [key for key in resources if key.startswith("LabellerTaskRole") and "Policy" not in key]
    statements = [
        statement
        for item in resources.values()
        if item["Type"] == "AWS::IAM::Policy" and {"Ref": role} in item["Properties"]["Roles"]
        for statement in item["Properties"]["PolicyDocument"]["Statement"]
    ]
    allowed = {action for item in statements for action in item["Action"]}
    assert {"sqs:ReceiveMessage", "dynamodb:PutItem"} <= allowed


def test_the_service_rests_while_its_queue_is_empty(template: Path) -> None:
    resources = json.loads(template.read_text())["Resources"].values()
    (target,) = [item for item in resources if item["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget"]
    assert (target["Properties"]["MinCapacity"], target["Properties"]["MaxCapacity"]) == (0, 20)
    tasks = next(item for item in resources if item.get("Properties", {}).get("AlarmName") == "labels-labeller-tasks")
    assert tasks["Properties"]["TreatMissingData"] == "notBreaching"

"""Fleets as stacks. Starting the CDK's engine takes seconds, so each fleet here is synthesised once for all tests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")

DIGEST = "sha256:" + "a" * 64
WORKER = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/vision/worker@{DIGEST}"
API = f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/api@{DIGEST}"

CAMERAS = """
models: {street: {path: "s3://models/street.onnx"}}
cameras:
  - {id: gate, source: {stream: gate}}
  - {id: yard, source: {url: "rtsp://10.0.0.7/live", username: viewer, password: "${CAMERA_PASSWORD}"}}
sinks: [{kinesis: {stream: events}}, {dynamodb: {table: events}}, {s3: {bucket: pictures}}]
"""

EVERYTHING = f"""
name: vision
region: eu-west-1
account: "111122223333"
tags: {{Team: cameras}}
network: {{zones: 3}}
images:
  worker: {{build: ., repository: vision/worker}}
capacity:
  gpu: {{instances: [g5.xlarge, g4dn.xlarge], min: 1, max: 4, spot: 50, on_demand: 1, root_volume_gib: 120}}
  arm: {{instances: [m7g.large], max: 2}}
  managed: {{kind: managed, gpu: 1, gpu_models: [L4, T4]}}
  fargate: {{base: 1, weight: 1, spot_weight: 2}}
services:
  cameras:
    kind: streams
    capacity: gpu
    image: worker
    gpu: 1
    exec: true
    config: cameras.yaml
    logs: {{retention_days: 7}}
    secrets: {{CAMERA_PASSWORD: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:camera-a1b2c3:password::"}}
  blue:
    kind: api
    capacity: fargate
    image: {API}
    load_balancer:
      certificate: arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555
      hosts: [api.example.com]
      waf: arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/a/11111111-2222-3333-4444-555555555555
      deletion_protection: true
    deployment:
      strategy: blue-green
      bake_minutes: 7
      hooks: [{{function: "arn:aws:lambda:eu-west-1:111122223333:function:ask", stages: [POST_SCALE_UP]}}]
    scaling: {{min: 2, max: 6, cpu: 60, requests: 500}}
  canary:
    kind: api
    capacity: fargate
    image: {API}
    load_balancer: {{access_logs: false}}
    deployment: {{strategy: canary, canary_percent: 5, step_minutes: 3}}
  linear:
    kind: api
    capacity: fargate
    image: {API}
    load_balancer: {{access_logs: false}}
    deployment: {{strategy: linear, step_percent: 25, alarms: [too-slow]}}
  part:
    kind: api
    capacity: managed
    image: {API}
    gpu: {{memory: 4 GB, compute: 50}}
    load_balancer: {{public: false}}
    scaling:
      min: 0
      max: 4
      requests: 600
      queue: {{name: jobs, per_task: 20}}
      metric: {{namespace: App, name: Backlog, dimensions: {{Kind: all}}, target: 5}}
      schedules: [{{cron: "cron(0 8 * * ? *)", min: 2, max: 4, timezone: Europe/Rome}}]
  tools:
    kind: container
    capacity: arm
    image: {API}
    architecture: arm64
    count: 1
    deployment: {{strategy: rolling, minimum: 0, maximum: 100}}
    permissions: [{{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::tools/*"]}}]
"""

EXISTING = """
name: guest
region: us-east-1
network:
  vpc: vpc-0123456789abcdef0
  private_subnets: [subnet-0123456789abcdef1, subnet-0123456789abcdef2]
  public_subnets: [subnet-0123456789abcdef3, subnet-0123456789abcdef4]
  security_groups: [sg-0123456789abcdef0]
images: {api: {build: .}}
services:
  api: {kind: api, image: api, load_balancer: {access_logs: false}}
"""


@dataclass(frozen=True)
class Templates:
    """The templates of an assembly.

    Attributes:
        folder: Where the assembly is.
        stacks: The templates, by the stack's name, in the order in which they are deployed.
        needs: The stacks before each.
    """

    folder: Path
    stacks: dict[str, dict[str, Any]]
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def all(self, kind: str, stack: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type in a stack, by id."""
        resources = self.stacks[stack]["Resources"]
        return {key: item.get("Properties", {}) for key, item in resources.items() if item["Type"] == kind}

    def only(self, kind: str, stack: str) -> dict[str, Any]:
        """The properties of the one resource of a type in a stack."""
        (properties,) = self.all(kind, stack).values()
        return properties

    def statements(self, stack: str, role: str) -> list[dict[str, Any]]:
        """The statements of the policies of a role, by a part of the role's id."""
        found = []
        for policy in self.all("AWS::IAM::Policy", stack).values():
            if any(role in item["Ref"] for item in policy["Roles"]):
                found += policy["PolicyDocument"]["Statement"]
        for key, item in self.all("AWS::IAM::Role", stack).items():
            if role in key:
                found += [line for policy in item.get("Policies", ()) for line in policy["PolicyDocument"]["Statement"]]
        return found


def _synthesise(text: str, folder: Path, images: dict[str, str], cameras: str = CAMERAS) -> Templates:
    pytest.importorskip("aws_cdk", reason="needs the CDK; `pip install inferfleet[cdk]`, and Node.js")
    from inferfleet.config.fleet import FleetFile
    from inferfleet.deploy.resolve import resolve
    from inferfleet.deploy.stacks.synth import synthesise

    (folder / "cameras.yaml").write_text(cameras)
    fleet = resolve(FleetFile.model_validate(yaml.safe_load(text)))
    assembly = synthesise(fleet, folder, images=images)
    return Templates(
        assembly.folder,
        {stack.name: json.loads(stack.template.read_text()) for stack in assembly.stacks},
        {stack.name: stack.depends_on for stack in assembly.stacks},
    )


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory) -> Callable[[str, str], Templates]:
    """Makes the templates of any fleet, given as the texts of its fleet.yaml and cameras.yaml."""
    return lambda text, cameras: _synthesise(text, tmp_path_factory.mktemp("fleet"), {}, cameras)


@pytest.fixture(scope="session")
def everything(tmp_path_factory) -> Iterator[Templates]:
    """A fleet with one of everything."""
    yield _synthesise(EVERYTHING, tmp_path_factory.mktemp("everything"), {"worker": WORKER})


@pytest.fixture(scope="session")
def existing(tmp_path_factory) -> Iterator[Templates]:
    """A fleet in a VPC that exists, in whatever account it is deployed to."""
    yield _synthesise(EXISTING, tmp_path_factory.mktemp("existing"), {"api": WORKER})

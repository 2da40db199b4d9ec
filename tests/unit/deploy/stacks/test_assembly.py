"""What an assembly holds, and that the stacks and the rendered files say the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from inferfleet.errors import InputError

FLEET = "name: one\naccount: '111122223333'\nimages: {app: {build: .}}\nservices: {s: {kind: api, image: app}}\n"


def make(text: str) -> Any:
    from inferfleet.config.fleet import FleetFile
    from inferfleet.deploy.resolve import resolve

    return resolve(FleetFile.model_validate(yaml.safe_load(text)))


def test_each_stack_comes_after_those_that_it_needs(everything):
    names = list(everything.stacks)
    assert set(names) == {
        f"vision-{part}"
        for part in (
            "network", "registry", "cluster", "observability",
            "cameras", "blue", "canary", "linear", "part", "tools",
        )
    }  # fmt: skip
    for name, needs in everything.needs.items():
        assert all(names.index(need) < names.index(name) for need in needs)
    assert set(everything.needs["vision-blue"]) == {"vision-cluster", "vision-network"}


def test_an_existing_network_has_no_stack_of_ours(existing):
    assert set(existing.stacks) == {"guest-registry", "guest-cluster", "guest-api", "guest-observability"}


def test_no_stack_of_a_fleet_needs_a_bootstrapped_account(everything, existing):
    """Neither a bucket nor a role: CloudFormation refuses a role that is not there."""
    for templates in (everything, existing):
        manifest = json.loads((templates.folder / "manifest.json").read_text())
        assert not any(item["type"] == "cdk:asset-manifest" for item in manifest["artifacts"].values())
        assert "hnb659fds" not in json.dumps(manifest)
        assert "missing" not in manifest, "something would be looked up"


def test_where_the_account_is_bootstrapped_its_roles_can_be_used(tmp_path):
    import aws_cdk as cdk

    from inferfleet.deploy.stacks import add_fleet

    context = {"inferfleet:bootstrapped": "true"}
    app = cdk.App(outdir=str(tmp_path / "out"), context=context, builtin_cloud_formation_validation=False)
    add_fleet(app, make(FLEET), tmp_path, images={}, draft=True)
    app.synth()
    artifacts = json.loads((tmp_path / "out" / "manifest.json").read_text())["artifacts"].values()
    stacks = [item["properties"] for item in artifacts if item["type"] == "aws:cloudformation:stack"]
    assert all("deploy-role" in item["assumeRoleArn"] for item in stacks)


def test_operations_find_what_they_need_in_the_outputs(everything):
    outputs = {name: set(stack.get("Outputs", {})) for name, stack in everything.stacks.items()}
    assert {"ClusterName", "GpuGroupName", "ArmGroupName"} <= outputs["vision-cluster"]
    assert "RepositoryUriWorker" in outputs["vision-registry"]
    service = {"ClusterName", "ServiceName", "TaskDefinitionArn", "LogGroupName"}
    assert service | {"LoadBalancerDnsName", "Url", "AccessLogsBucket"} <= outputs["vision-blue"]
    assert service == {name for name in outputs["vision-cameras"] if not name.startswith("Exports")}


def test_an_image_that_was_not_pushed_is_an_error_to_deploy_and_a_placeholder_to_look_at(tmp_path):
    from inferfleet.deploy.stacks.synth import synthesise

    with pytest.raises(InputError, match=r"images\.app: .*inferfleet deploy"):
        synthesise(make(FLEET), tmp_path, images={}, out=tmp_path / "a")
    assembly = synthesise(make(FLEET), tmp_path, images={}, out=tmp_path / "b", draft=True)
    (template,) = [stack.template.read_text() for stack in assembly.stacks if stack.name == "one-s"]
    assert "111122223333.dkr.ecr.us-east-1.amazonaws.com/app:not-pushed-yet" in template


def test_a_service_whose_stack_would_take_anothers_name_is_refused(tmp_path):
    from inferfleet.deploy.stacks.synth import synthesise

    fleet = make(FLEET.replace("services: {s:", "services: {network:"))
    with pytest.raises(InputError, match=r"services\.network: a stack of the fleet has that name"):
        synthesise(fleet, tmp_path, images={}, draft=True)


def test_what_the_cdk_refuses_is_told_as_a_mistake_of_the_file(tmp_path):
    from inferfleet.deploy.stacks.synth import synthesise

    fleet = make(FLEET.replace("image: app}", "image: app, permissions: [{actions: [read], resources: ['*']}]}"))
    with pytest.raises(InputError, match=r"one: the CDK makes no stacks of it: .*[Aa]ction"):
        synthesise(fleet, tmp_path, images={}, draft=True)


def _lower(key: str) -> str:
    """A key of CloudFormation as the API writes it."""
    special = {"EnableECSManagedTags": "enableECSManagedTags", "PlacementStrategies": "placementStrategy"}
    return special.get(key, key[0].lower() + key[1:])


def _as_api(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        free = key == "Options"
        return {name if free else _lower(name): _as_api(item, name) for name, item in value.items()}
    return [_as_api(item) for item in value] if isinstance(value, list) else value


def _without_references(value: Any) -> Any:
    """Leaves out what is an ARN or an id in one, and a reference in the other."""
    if isinstance(value, dict):
        reference = re.compile(r"(Arn|arn|ListenerRule|subnets|securityGroups|taskDefinition|alarms|image)$")
        return {key: _without_references(item) for key, item in value.items() if not reference.search(key)}
    return [_without_references(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("key", ["cameras", "blue", "canary", "linear", "part", "tools"])
def test_the_stacks_and_the_rendered_files_say_the_same(everything, key):
    from inferfleet.deploy.render import ecs
    from tests.unit.deploy.stacks.conftest import EVERYTHING

    fleet = make(EVERYTHING)
    rendered = ecs.files(fleet, everything.folder.parent)
    for kind, file in (("TaskDefinition", "ecs-task-def.json"), ("Service", "ecs-service.json")):
        ours = _without_references(_as_api(everything.only(f"AWS::ECS::{kind}", f"vision-{key}")))
        other = json.loads(rendered[f"{key}/{file}"])
        other.pop("tags")
        if kind == "Service" and "desiredCount" not in ours:
            assert fleet.file.services[key].scaling is not None
            other.pop("desiredCount")
        assert ours == _without_references(other)


def test_the_app_module_is_what_the_cdk_command_line_runs(tmp_path):
    (tmp_path / "fleet.yaml").write_text(FLEET)
    environment = {"CDK_OUTDIR": str(tmp_path / "cdk.out"), "CDK_VALIDATION": "false"}
    command = [sys.executable, "-m", "inferfleet.deploy.stacks", "fleet.yaml"]
    done = _run(command, tmp_path, {**environment, "CDK_CONTEXT_JSON": json.dumps({"images": {"app": "x/a@sha256:1"}})})
    assert done.returncode == 0, done.stderr
    assert "x/a@sha256:1" in (tmp_path / "cdk.out" / "one-s.template.json").read_text()
    (tmp_path / "fleet.yaml").write_text(FLEET.replace("kind: api", "kind: nonsense"))
    done = _run(command, tmp_path, environment)
    assert done.returncode == 1
    assert "fleet.yaml:4" in done.stderr
    assert "Traceback" not in done.stderr


def _run(command: list[str], folder: Any, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, check=False, timeout=240
    )

import json

import pytest
import yaml

from inferfleet.config.fleet import read_fleet
from inferfleet.deploy import render, resolve
from inferfleet.deploy.lint import engine
from inferfleet.deploy.readers import models
from inferfleet.errors import InputError

FULL = """
tags: {Team: vision}
capacity:
  gpu: {instances: [g5.xlarge], max: 8}
  shared: {kind: managed, gpu: 1}
services:
  a: {kind: api, image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/a:1.4.0", load_balancer: {}, exec: true,
      deployment: {strategy: canary, alarms: [errors]}, secrets: {K: "arn:aws:ssm:us-east-1:111122223333:parameter/k"}}
  b: {kind: container, target: ecs-ec2, image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/b:2.0.0", gpu: 1}
  c: {kind: container, target: ecs-managed, image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/c:2.0.0",
      gpu: {memory: 4 GB, compute: 50}, cpu: 512, memory: 1 GB, count: 4}
  d: {kind: api, target: eks, image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/d:1.0.0", scaling: {cpu: 60}}
  e: {kind: api, target: fargate, image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/e:1.0.0", load_balancer: {},
      deployment: {strategy: linear}}
"""


def findings(files):
    return [(f.rule, str(f.place), f.message) for f in engine.lint_texts(files).findings]


@pytest.mark.parametrize("kind", list(render.Format))
def test_no_rule_finds_anything_in_what_is_rendered(make_fleet, kind):
    files = render.files(make_fleet(FULL), kind)
    assert files
    assert findings(files) == []


@pytest.mark.parametrize("kind", list(render.Format))
def test_the_examples_render_in_every_format_without_a_finding(examples, kind):
    assert len(examples) == 3
    for path in examples:
        files = render.files(resolve.resolve(read_fleet(path, {})), kind, path.parent)
        assert findings(files) == []


def test_the_ecs_files_are_what_the_apis_take(make_fleet):
    from botocore.validate import ParamValidator

    files = render.files(make_fleet(FULL), render.Format.ECS)
    for key in "abce":
        for name, call in (("ecs-task-def.json", "RegisterTaskDefinition"), ("ecs-service.json", "CreateService")):
            shape = models.input_of(f"ecs:{call}")
            report = ParamValidator().validate(json.loads(files[f"{key}/{name}"]), shape)
            assert not report.has_errors(), report.generate_report()


def test_a_fleet_of_one_service_has_its_files_at_the_top(make_fleet):
    files = render.files(make_fleet("services: {api: {image: 'x/api:1'}}"), render.Format.ECS)
    assert {"ecs-task-def.json", "ecs-service.json", "iam-execution-role.json", ".env.example"} <= set(files)


def test_whatever_is_left_open_is_in_the_env_file(make_fleet):
    text = (
        "images: {api: {build: .}}\n"
        "services: {api: {image: api, load_balancer: {}, deployment: {strategy: blue-green}}}"
    )
    files = render.files(make_fleet(text), render.Format.ECS)
    named = {line.split("=")[0] for line in files[".env.example"].splitlines() if not line.startswith("#")}
    assert named == {
        "IMAGE_TAG", "PRIVATE_SUBNET_1", "PRIVATE_SUBNET_2", "SECURITY_GROUP_ID", "TARGET_GROUP_ARN",
        "ALTERNATE_TARGET_GROUP_ARN", "PRODUCTION_LISTENER_RULE_ARN",
    }  # fmt: skip


def test_a_stream_reader_stops_before_its_successor_starts(make_fleet):
    text = (
        "capacity: {g: {instances: [g4dn.xlarge]}}\n"
        "services: {r: {kind: streams, target: ecs-ec2, image: 'x/r:1', gpu: 1}}"
    )
    service = json.loads(render.files(make_fleet(text), render.Format.ECS)["ecs-service.json"])
    deployment = service["deploymentConfiguration"]
    assert (deployment["minimumHealthyPercent"], deployment["maximumPercent"]) == (0, 100)
    assert service["availabilityZoneRebalancing"] == "DISABLED"
    assert "launchType" not in service


def test_manifests_agree_with_one_another(make_fleet):
    text = (
        "services: {api: {kind: api, image: 'x/api:1', port: 5000, count: 3, gpu: 1, target: eks,"
        " scaling: {cpu: 70, min: 2}, load_balancer: {}}}"
    )
    files = render.files(make_fleet(text), render.Format.KUBERNETES)
    manifests = {name: yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")}
    assert sorted(manifests["kustomization.yaml"]["resources"]) == sorted(set(manifests) - {"kustomization.yaml"})
    deployment = manifests["deployment.yaml"]
    pod = deployment["spec"]["template"]
    container = pod["spec"]["containers"][0]
    assert manifests["service.yaml"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 5000}]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["spec"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert "replicas" not in deployment["spec"]
    assert manifests["hpa.yaml"]["spec"]["minReplicas"] == 2
    assert pod["spec"]["securityContext"]["runAsNonRoot"]


def test_the_configuration_travels_in_a_config_map(make_fleet, tmp_path):
    (tmp_path / "cameras.yaml").write_text("cameras:\n  - {id: a, source: 'rtsp://10.0.0.7/x'}\n")
    text = "services: {r: {kind: streams, target: eks, image: 'x/r:1', config: cameras.yaml}}"
    files = render.files(make_fleet(text), render.Format.KUBERNETES, tmp_path)
    assert yaml.safe_load(files["configmap.yaml"])["data"]["cameras.yaml"].startswith("cameras:\n")
    mounts = yaml.safe_load(files["deployment.yaml"])["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "config", "mountPath": "/app/config", "readOnly": True} in mounts


def test_pipelines_hold_no_keys_and_run_the_checks(make_fleet):
    files = render.files(make_fleet("images: {api: {build: .}}\nservices: {api: {image: api}}"), render.Format.CI)
    workflow = yaml.safe_load(files[".github/workflows/deploy.yml"])
    assert workflow["permissions"]["id-token"] == "write"
    assert yaml.safe_load(files["buildspec.yml"])["version"] == 0.2
    for name in (".github/workflows/deploy.yml", "buildspec.yml"):
        for step in ("inferfleet validate .", "inferfleet plan --offline", "docker push", "register-task-definition"):
            assert step in files[name]
        assert "SECRET_ACCESS_KEY" not in files[name]


def test_a_fleet_without_services_says_what_to_add(make_fleet):
    with pytest.raises(InputError, match="add one under `services`"):
        render.files(make_fleet("recovery: {}"), render.Format.ECS)

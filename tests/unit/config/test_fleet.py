import json

import jsonschema
import pytest

from inferfleet.config.fleet import FleetFile, read_fleet
from inferfleet.errors import InputError

EXISTING = "network: {vpc: vpc-1, private_subnets: [subnet-1, subnet-2]}\n"
LEAST = "name: vision\nservices:\n  api:\n    kind: api\n    image: public.ecr.aws/x/api:1\n"


def read(tmp_path, text, **environment):
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return read_fleet(path, environment)


def message(tmp_path, text, **environment):
    with pytest.raises(InputError) as error:
        read(tmp_path, text, **environment)
    return str(error.value)


def test_the_smallest_fleet_has_defaults_for_the_rest(tmp_path):
    fleet = read(tmp_path, LEAST)
    assert fleet.region == "us-east-1"
    assert fleet.network.zones == 2
    assert fleet.services["api"].logs.retention_days == 30
    assert fleet.dashboards


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LEAST + "    memmory: 4 GB\n", "fleet.yaml:6:5: unknown key `memmory`; did you mean `memory`?"),
        ("name: vision\n", "there is nothing to run"),
        (LEAST.replace("public.ecr.aws/x/api:1", "web"), "there is no image 'web'"),
        (LEAST + "    target: ecs-ec2\n", "needs an entry of `capacity` of kind ec2"),
        (LEAST + "    capacity: gpu\n", "there is no capacity 'gpu'"),
        (LEAST + "    deployment: {strategy: canary}\n", "canary shifts a load balancer's traffic; add load_balancer"),
        (LEAST + "    scaling: {min: 0, cpu: 70}\n", "set min to at least 1"),
        (LEAST + "    scaling: {min: 5, max: 2, cpu: 70}\n", "min 5 is above max 2"),
        (LEAST + "    scaling: {requests: 100}\n", "add load_balancer"),
        (LEAST + "    gpu: {memory: 4 GB}\n    target: fargate\n", "Fargate has no GPU to share"),
        (LEAST + "network: {private_subnets: [subnet-1]}\n", "belong to an existing VPC"),
        (LEAST + "network: {vpc: vpc-1}\n", "needs private_subnets"),
        (LEAST + "network: {cidr: 8.8.8.0/24}\n", "must be a private range"),
        (LEAST + "images: {api: {uri: 'x/api:latest'}}\n", "latest moves"),
        (LEAST + "images: {api: {}}\n", "either build or uri"),
        (LEAST + "capacity: {gpu: {instances: [g4dn.xlarge], min: 4, max: 2}}\n", "min 4 is above max 2"),
        (LEAST + "account: ${ACCOUNT}\n", "the variable ACCOUNT is not set"),
        (LEAST + "    load_balancer: {}\n" + EXISTING, "the load balancer needs two of `network.public_subnets`"),
        (
            LEAST + "    load_balancer: {public: false}\n" + EXISTING.replace(", subnet-2", ""),
            "the load balancer needs two of `network.private_subnets`",
        ),
        (LEAST + "    load_balancer: {paths: [/a, /b, /c], hosts: [a.io, b.io, c.io]}\n", "at most 5 paths and hosts"),
        (LEAST + EXISTING.replace("}", ", endpoints: [s3]}"), "the endpoint s3 is an entry of route tables"),
        (LEAST + "images: {a: {build: .}}\n", "an ECR repository has at least 2 characters"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_way_out(tmp_path, text, says):
    told = message(tmp_path, text)
    assert says in told
    assert "fleet.yaml:" in told


def test_a_capacity_is_told_by_what_it_holds(tmp_path):
    fleet = read(
        tmp_path, LEAST + "capacity:\n  a: {instances: [g4dn.xlarge]}\n  b: {spot_weight: 4}\n  c: {kind: managed}\n"
    )
    assert [item.kind for item in fleet.capacity.values()] == ["ec2", "fargate", "managed"]


def test_sizes_are_read_as_people_write_them(tmp_path):
    fleet = read(tmp_path, LEAST + "    cpu: 2 vCPU\n    memory: 4 GB\n")
    assert (fleet.services["api"].cpu, fleet.services["api"].memory) == (2048, 4096)


def test_the_env_file_beside_it_fills_in_variables_and_the_environment_goes_first(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("export TEST_FLEET_REGION='eu-west-1'  \nTEST_FLEET_ACCOUNT=123456789012 # ours\n")
    path = tmp_path / "fleet.yaml"
    path.write_text(LEAST + 'region: ${TEST_FLEET_REGION}\naccount: "${TEST_FLEET_ACCOUNT}"\n')
    assert (read_fleet(path).region, read_fleet(path).account) == ("eu-west-1", "123456789012")
    monkeypatch.setenv("TEST_FLEET_REGION", "us-west-2")
    assert read_fleet(path).region == "us-west-2"


def test_the_json_schema_accepts_what_the_reader_accepts():
    schema = FleetFile.model_json_schema()
    json.dumps(schema)
    jsonschema.validate({"name": "vision", "services": {"api": {"image": "x:1", "memory": "max"}}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "vision", "servises": {}}, schema)

"""The ways out of a fleet's network."""

from __future__ import annotations

import pytest

from inferfleet.deploy.reach import reach

IN_ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com/app@sha256:" + "a" * 64
API = f"services: {{a: {{kind: api, image: '{IN_ECR}'}}}}"


def names(ways):
    return [endpoint.name for endpoint in ways.endpoints]


def test_an_api_with_its_image_in_ecr_needs_three_endpoints_and_the_free_one(make_fleet):
    ways = reach(make_fleet(API), None)
    assert names(ways) == ["ecr.api", "ecr.dkr", "logs", "s3"]
    assert [endpoint.name for endpoint in ways.endpoints if endpoint.is_gateway] == ["s3"]
    assert (ways.internet, ways.nat_gateways) == ((), 0)


@pytest.mark.parametrize(("nat", "gateways"), [("auto", 1), ("none", 0), ("one", 1), ("per-zone", 2)])
def test_a_public_image_needs_nat(make_fleet, nat, gateways):
    fleet = make_fleet(f"network: {{nat: {nat}}}\nservices: {{a: {{kind: api, image: 'public.ecr.aws/x/a:1'}}}}")
    ways = reach(fleet, None)
    assert [str(need) for need in ways.internet] == ["a: its image public.ecr.aws/x/a:1 is not in ECR"]
    assert ways.nat_gateways == gateways


def test_without_endpoints_everything_needs_nat(make_fleet):
    ways = reach(make_fleet(f"network: {{endpoints: none}}\n{API}"), None)
    assert ways.endpoints == ()
    assert {need.what for need in ways.internet} == {
        f"there is no endpoint {name}" for name in ("ecr.api", "ecr.dkr", "logs", "s3")
    }
    assert ways.nat_gateways == 1


def test_a_list_of_endpoints_is_what_is_made(make_fleet):
    ways = reach(make_fleet(f"network: {{endpoints: [ecr.api, ecr.dkr, s3, logs, bedrock-runtime]}}\n{API}"), None)
    assert names(ways) == ["ecr.api", "ecr.dkr", "s3", "logs", "bedrock-runtime"]
    assert ways.internet == ()


def test_an_existing_vpc_is_left_as_it_is_unless_endpoints_are_listed(make_fleet):
    vpc = "vpc: vpc-0a, private_subnets: [subnet-0a, subnet-0b]"
    assert reach(make_fleet(f"network: {{{vpc}}}\n{API}"), None).endpoints == ()
    listed = reach(make_fleet(f"network: {{{vpc}, endpoints: [logs]}}\n{API}"), None)
    assert (names(listed), listed.nat_gateways) == (["logs"], 0)


def test_instances_speak_to_ecs_and_fargate_has_ways_of_its_own(make_fleet):
    on_instances = make_fleet(f"capacity: {{gpu: {{instances: [g5.xlarge]}}}}\n{API}")
    assert {"ecs", "ecs-agent", "ecs-telemetry"} <= set(names(reach(on_instances, None)))
    assert "ecs" not in names(reach(make_fleet(API), None))


def cameras(folder, *, model="zoo:street-v1", source="kvs://gate", sink="stdout"):
    (folder / "cameras.yaml").write_text(
        f"models: {{street: {{path: '{model}'}}}}\ncameras: [{{id: gate, source: '{source}'}}]\nsinks: [{sink}]\n"
    )


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ({"source": "kvs://gate"}, "kinesisvideo"),
        ({"sink": "{dynamodb: {table: events}}"}, "dynamodb"),
        ({"model": "s3://models/a.onnx"}, "s3"),
        ({"source": "rtsp://10.0.0.7/live"}, "logs"),
        ({"source": "rtsp://cameras.internal/live"}, "logs"),
    ],
)
def test_what_a_configuration_names_is_reached_by_an_endpoint(make_fleet, tmp_path, written, endpoint):
    cameras(tmp_path, **written)
    fleet = make_fleet(f"services: {{r: {{kind: streams, image: '{IN_ECR}', config: cameras.yaml}}}}")
    ways = reach(fleet, tmp_path)
    assert endpoint in names(ways)
    assert (ways.internet, ways.nat_gateways) == ((), 0)


@pytest.mark.parametrize(
    ("written", "need"),
    [
        ({"source": "rtsp://8.8.8.8/live"}, "camera 'gate' is at 8.8.8.8"),
        ({"source": "https://cams.example.com/a.m3u8"}, "camera 'gate' is at cams.example.com"),
        ({"model": "https://models.example.com/a.onnx"}, "the model 'street' is loaded from models.example.com"),
        ({"sink": "{kinesis: {stream: events, region: eu-west-1}}"}, "it calls kinesis in eu-west-1"),
    ],
)
def test_what_no_endpoint_leads_to_needs_nat(make_fleet, tmp_path, written, need):
    cameras(tmp_path, **written)
    fleet = make_fleet(f"services: {{r: {{kind: streams, image: '{IN_ECR}', config: cameras.yaml}}}}")
    ways = reach(fleet, tmp_path)
    assert [str(item) for item in ways.internet] == [f"r: {need}"]
    assert ways.nat_gateways == 1


def test_video_streams_need_nat_where_they_have_no_endpoint(tmp_path):
    from inferfleet.config.fleet import FleetFile
    from inferfleet.deploy.resolve import resolve

    cameras(tmp_path)
    service = {"kind": "streams", "image": IN_ECR, "config": "cameras.yaml"}
    fleet = resolve(FleetFile.model_validate({"name": "v", "region": "us-west-1", "services": {"r": service}}))
    assert "r: Kinesis Video Streams has no endpoint in us-west-1" in map(str, reach(fleet, tmp_path).internet)


def test_what_a_foreign_image_calls_is_unknown_until_its_permissions_say_it(make_fleet):
    unknown = reach(make_fleet(f"services: {{c: {{image: '{IN_ECR}'}}}}"), None)
    assert [need.is_certain for need in unknown.internet] == [False]
    said = "permissions: [{actions: ['sqs:SendMessage'], resources: ['arn:aws:sqs:us-east-1:111122223333:q']}]"
    known = reach(make_fleet(f"services: {{c: {{image: '{IN_ECR}', {said}}}}}"), None)
    assert (known.internet, known.nat_gateways) == ((), 0)
    assert "sqs" in names(known)

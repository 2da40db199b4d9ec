from __future__ import annotations

from pathlib import Path

from inferfleet.config.fleet import read_fleet
from inferfleet.deploy.operations.localise import localise
from inferfleet.deploy.resolve import resolve

ACCOUNT, REGION = "000000000000", "us-east-1"


def test_every_example_runs_locally_and_needs_no_hardware(examples):
    for path in examples:
        fleet, _ = localise(read_fleet(path, {}), ACCOUNT, REGION)
        resolved = resolve(fleet)
        assert all(service.target == "fargate" and not service.gpus for service in resolved.services)
        assert fleet.account == ACCOUNT and fleet.region == REGION and fleet.network.vpc is None


def test_each_replacement_is_told_with_its_place_and_reason(examples):
    path = next(path for path in examples if path.parent.name == "kvs-infer")
    _, said = localise(read_fleet(path, {}), ACCOUNT, REGION)
    told = {item.path: item for item in said}
    assert {"region", "network", "capacity.gpu", "services.kvs-infer.gpu", "services.kvs-infer.target"} <= set(told)
    assert told["images.kvs-infer.stage"].was == "gpu" and told["images.kvs-infer.stage"].now == "cpu"
    assert all(item.why for item in said)


def test_a_fleet_without_hardware_keeps_all_but_its_certificate(examples):
    path = next(path for path in examples if path.parent.name == "ml-inference")
    file = read_fleet(path, {})
    fleet, said = localise(file, ACCOUNT, REGION)
    assert [item.path for item in said] == ["services.ml-inference.load_balancer.certificate"]
    before, after = file.services["ml-inference"], fleet.services["ml-inference"]
    assert after.scaling == before.scaling and after.deployment == before.deployment and after.count == before.count
    assert after.load_balancer is not None and after.load_balancer.certificate is None
    assert fleet.capacity == file.capacity


def test_names_stay_those_of_the_fleet_so_that_every_command_finds_it(examples):
    for path in examples:
        file = read_fleet(Path(path), {})
        local = resolve(localise(file, ACCOUNT, REGION)[0])
        assert [item.names.service for item in local.services] == [
            item.names.service for item in resolve(file).services
        ]
        assert local.cluster == resolve(file).cluster

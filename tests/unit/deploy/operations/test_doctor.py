from __future__ import annotations

import pytest

from inferfleet.deploy.operations.doctor import (
    Check,
    Level,
    Quota,
    cdk,
    failed,
    judge_endpoints,
    judge_quotas,
    node,
    quota_name,
    wanted_vcpus,
)


@pytest.mark.parametrize(
    ("version", "level"),
    [(None, Level.FAILED), ("18.19.0", Level.FAILED), ("20.20.2", Level.WARNING), ("22.1.0", Level.OK)],
)
def test_node_must_be_one_that_the_cdk_runs_on(version, level):
    check = node(version)
    assert check.level is level
    assert bool(check.fix) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("version", "level"),
    [(None, Level.FAILED), ("2.180.0", Level.FAILED), ("2.1000.2", Level.OK), ("2.1148.1", Level.OK)],
)
def test_the_cdk_must_be_of_the_line_that_reads_what_the_library_writes(version, level):
    assert cdk(version).level is level


@pytest.mark.parametrize(
    ("instance", "spot", "name"),
    [
        ("g4dn.xlarge", False, "Running On-Demand G and VT instances"),
        ("g6.xlarge", True, "All G and VT Spot Instance Requests"),
        ("p5.48xlarge", False, "Running On-Demand P instances"),
        ("inf2.xlarge", False, "Running On-Demand Inf instances"),
        ("m7i.large", True, "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
        ("u-6tb1.metal", False, ""),
    ],
)
def test_each_family_counts_against_its_own_quota(instance, spot, name):
    assert quota_name(instance, spot=spot) == name


def test_a_fleet_wants_what_it_starts_with_and_at_most_its_largest(make_fleet):
    fleet = make_fleet("""
        images: {api: {uri: example.com/api:1}}
        capacity:
          gpu: {instances: [g4dn.xlarge], min: 1, max: 4}
          spot: {instances: [g5.2xlarge], min: 2, max: 10, spot: 100, on_demand: 1}
        services: {api: {image: api, capacity: gpu, gpu: 1}}
    """)
    assert wanted_vcpus(fleet) == [
        Quota("Running On-Demand G and VT instances", least=4 + 8, most=16 + 8),
        Quota("All G and VT Spot Instance Requests", least=8, most=72),
    ]


def test_a_quota_that_is_too_small_to_start_fails_and_says_what_to_ask_for():
    wanted = [Quota("Running On-Demand G and VT instances", 4, 16)]
    levels = {limit: next(judge_quotas(wanted, {wanted[0].name: limit})) for limit in (0.0, 8.0, 64.0)}
    assert [levels[limit].level for limit in (0.0, 8.0, 64.0)] == [Level.FAILED, Level.WARNING, Level.OK]
    assert "ask for 16" in levels[0.0].fix
    assert next(judge_quotas(wanted, {})).level is Level.WARNING


def test_only_what_failed_keeps_a_deployment_from_beginning():
    found = [
        Check("a", Level.OK, "fine"),
        Check("b", Level.WARNING, "old", "newer"),
        Check("c", Level.FAILED, "gone", "get it"),
    ]
    assert failed(found) == "c: gone; get it"


def test_an_endpoint_that_the_region_does_not_have_is_told_with_the_way_around_it():
    offered = {f"com.amazonaws.eu-north-1.{name}" for name in ("logs", "ecr.api")}
    assert judge_endpoints("eu-north-1", ["logs", "ecr.api"], offered).level is Level.OK
    check = judge_endpoints("eu-north-1", ["logs", "kinesisvideo", "ecr.api"], offered)
    assert (check.level, check.found) == (Level.FAILED, "eu-north-1 has no endpoint kinesisvideo")
    assert "endpoints: [logs, ecr.api]" in check.fix

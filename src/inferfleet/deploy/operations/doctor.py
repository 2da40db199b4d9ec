"""Whether a deployment can work at all, before anything is begun: each check with what was found and how to fix it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inferfleet.config.fleet_capacity import Ec2Capacity
from inferfleet.deploy import instances
from inferfleet.deploy.operations import images, tools
from inferfleet.deploy.operations.account import Account, code
from inferfleet.deploy.reach import reach
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.errors import InferfleetError, OutsideError

_LEAST_NODE, _GOOD_NODE = 20, 22
_LEAST_CDK = 1000
"""The CDK's command line counts from 2.1000 since it has left the library's numbers (aws-cdk-cli#383)."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at.

    Attributes:
        name: What.
        level: How bad it is.
        found: What was found.
        fix: What to do about it; empty when there is nothing to do.
    """

    name: str
    level: Level
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """vCPUs that a kind of instances may have and what the fleet wants of it."""

    name: str
    least: int
    most: int


def examine(account: Account, fleet: ResolvedFleet, folder: Path | None = None) -> list[Check]:
    """Looks at everything that a deployment of this fleet needs.

    Args:
        account: Where it is deployed.
        fleet: The fleet.
        folder: The folder of its fleet.yaml; without it nothing is known of what its configurations need.

    Raises:
        InputError: A configuration cannot be read.
        OutsideError: AWS cannot be reached.
    """
    checks = [*tools_for(fleet, local=account.is_local)]
    try:
        checks += _account(account, fleet)
    except InferfleetError as error:
        return [*checks, Check("credentials", Level.FAILED, str(error))]
    if not account.is_local:
        checks += _quotas(account, fleet)
        checks += _endpoints(account, fleet, folder)
    return checks


def failed(checks: list[Check]) -> str:
    """What keeps a deployment from being begun, a line each; empty when nothing does."""
    return "\n".join(f"{check.name}: {check.found}; {check.fix}" for check in checks if check.level is Level.FAILED)


def tools_for(fleet: ResolvedFleet, *, local: bool) -> Iterator[Check]:
    """Looks at the programs of this machine."""
    yield node(tools.version_of("node", "--version"))
    found = tools.find_cdk()
    yield cdk(tools.version_of(found, "--version") if found else None)
    builds = bool(images.needed(fleet.file))
    if builds or local:
        problem = tools.docker_answers()
        need = "builds the images" if builds else "runs the tasks"
        if problem is None:
            yield Check("docker", Level.OK, need)
        else:
            yield Check("docker", Level.FAILED, problem, f"it {need}: install and start Docker, then `docker version`")
    if not local and any(service.spec.exec for service in fleet.services):
        version = tools.version_of("session-manager-plugin", "--version")
        fix = "`inferfleet exec` needs the session-manager-plugin of AWS"
        yield Check(
            "exec",
            Level.OK if version else Level.WARNING,
            version or "no session-manager-plugin",
            "" if version else fix,
        )


def node(version: str | None) -> Check:
    """Judges the version of Node, which runs the CDK."""
    fix = f"install Node {_GOOD_NODE} or newer: https://nodejs.org"
    if version is None:
        return Check("node", Level.FAILED, "not on PATH", fix)
    major = int(version.split(".")[0])
    if major < _LEAST_NODE:
        return Check("node", Level.FAILED, f"{version} is too old for the CDK", fix)
    if major < _GOOD_NODE:
        return Check("node", Level.WARNING, f"{version} works, and the CDK will drop it", fix)
    return Check("node", Level.OK, version)


def cdk(version: str | None) -> Check:
    """Judges the version of the CDK's command line."""
    if version is None:
        return Check("cdk", Level.FAILED, "not on PATH", tools.INSTALL_CDK)
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < (2, _LEAST_CDK):
        return Check("cdk", Level.FAILED, f"{version} cannot read what the library writes now", tools.INSTALL_CDK)
    return Check("cdk", Level.OK, version)


def _account(account: Account, fleet: ResolvedFleet) -> Iterator[Check]:
    from inferfleet.deploy.operations.account import told

    with told(account.region):
        who = account.identity
    where = f" at {account.endpoint}" if account.endpoint else ""
    yield Check("credentials", Level.OK, f"{who['Arn']}{where}")
    wanted = fleet.file.account
    if wanted is not None and wanted != account.id:
        yield Check(
            "account", Level.FAILED, f"fleet.yaml is for {wanted}, the credentials are of {account.id}",
            "choose the profile of that account with AWS_PROFILE, or correct `account` in fleet.yaml",
        )  # fmt: skip
    else:
        yield Check("account", Level.OK, account.id)
    if not account.is_local:
        yield _region(account)


def _region(account: Account) -> Check:
    try:
        answer = account.client("account").get_region_opt_status(RegionName=account.region)
    except Exception as error:
        if code(error):
            return Check("region", Level.WARNING, f"{account.region}: not known whether it is enabled ({code(error)})")
        raise OutsideError(f"region {account.region}: {error}") from error
    status = answer["RegionOptStatus"]
    if status.startswith("ENABLED"):
        return Check("region", Level.OK, account.region)
    fix = f"aws account enable-region --region-name {account.region}, or choose another `region`"
    return Check("region", Level.FAILED, f"{account.region} is {status.lower()} for this account", fix)


def _quotas(account: Account, fleet: ResolvedFleet) -> Iterator[Check]:
    wanted = wanted_vcpus(fleet)
    if not wanted:
        return
    try:
        listed = account.pages("service-quotas", "list_service_quotas", "Quotas", ServiceCode="ec2")
    except Exception as error:
        if not code(error):
            raise
        yield Check("quotas", Level.WARNING, f"not known ({code(error)})", "allow servicequotas:ListServiceQuotas")
        return
    yield from judge_quotas(wanted, {item["QuotaName"]: float(item["Value"]) for item in listed})


def _endpoints(account: Account, fleet: ResolvedFleet, folder: Path | None) -> Iterator[Check]:
    wanted = [endpoint.name for endpoint in reach(fleet, folder).endpoints]
    if not wanted:
        return
    try:
        answer = account.client("ec2").describe_vpc_endpoint_services()
    except Exception as error:
        if not code(error):
            raise
        yield Check("endpoints", Level.WARNING, f"not known ({code(error)})", "allow ec2:DescribeVpcEndpointServices")
        return
    yield judge_endpoints(fleet.region, wanted, answer["ServiceNames"])


def judge_endpoints(region: str, wanted: Sequence[str], offered: Collection[str]) -> Check:
    """Compares the VPC endpoints that a fleet gets with those that there are in its region.

    Args:
        region: The region.
        wanted: Names of endpoints, such as `ecr.api`.
        offered: Names of endpoint services, such as `com.amazonaws.eu-west-1.ecr.api`.
    """
    missing = [name for name in wanted if f"com.amazonaws.{region}.{name}" not in offered]
    if not missing:
        return Check("endpoints", Level.OK, ", ".join(wanted))
    rest = ", ".join(name for name in wanted if name not in missing)
    fix = f"write `network: {{endpoints: [{rest}]}}`; what has none is reached by NAT"
    return Check("endpoints", Level.FAILED, f"{region} has no endpoint {', '.join(missing)}", fix)


def wanted_vcpus(fleet: ResolvedFleet) -> list[Quota]:
    """The vCPUs that the fleet's EC2 capacity takes of each quota: at least, and at most.

    A capacity takes what it always runs and, where it starts with none, the instance that a first task starts. Spot
    instances count against a quota of their own.
    """
    sums: dict[str, tuple[int, int]] = {}
    for capacity in fleet.file.capacity.values():
        known = [
            instances.table().ec2[name] for name in getattr(capacity, "instances", ()) if name in instances.table().ec2
        ]
        if not isinstance(capacity, Ec2Capacity) or not known:
            continue
        vcpu = max(item.vcpu for item in known)
        spot = capacity.spot > 0
        on_demand = capacity.max if not spot else min(capacity.max, capacity.on_demand)
        least = max(1, capacity.min)
        shares = (
            (False, min(least, on_demand), on_demand),
            (True, max(0, least - on_demand), capacity.max - on_demand),
        )
        for is_spot, at_least, at_most in shares:
            name = quota_name(known[0].name, spot=is_spot)
            if at_most and name:
                before = sums.get(name, (0, 0))
                sums[name] = (before[0] + vcpu * at_least, before[1] + vcpu * at_most)
    return [Quota(name, least, most) for name, (least, most) in sums.items()]


def quota_name(instance: str, *, spot: bool) -> str:
    """The name of the EC2 quota that an instance type counts against; empty for families that we do not know."""
    family = instance.partition(".")[0]
    for prefixes, group in ((("g", "vt"), "G and VT"), (("p",), "P"), (("inf",), "Inf"), (("trn",), "Trn")):
        if family.startswith(prefixes):
            return f"All {group} Spot Instance Requests" if spot else f"Running On-Demand {group} instances"
    if family[0] in "acdhimrtz":
        standard = "Standard (A, C, D, H, I, M, R, T, Z)"
        return f"All {standard} Spot Instance Requests" if spot else f"Running On-Demand {standard} instances"
    return ""


def judge_quotas(wanted: list[Quota], limits: Mapping[str, float]) -> Iterator[Check]:
    """Compares what is wanted with what the account may have."""
    for quota in wanted:
        limit = limits.get(quota.name)
        name = f"quota of vCPUs, {quota.name}"
        fix = f"ask for {quota.most} in Service Quotas (EC2, {quota.name!r}); for a new account that takes a day or two"
        if limit is None:
            yield Check(name, Level.WARNING, "AWS lists no such quota", fix)
        elif limit < quota.least:
            yield Check(name, Level.FAILED, f"{limit:g}, and the fleet needs {quota.least} to start", fix)
        elif limit < quota.most:
            yield Check(name, Level.WARNING, f"{limit:g}, and at its largest the fleet takes {quota.most}", fix)
        else:
            yield Check(name, Level.OK, f"{limit:g}, {quota.most} needed at most")

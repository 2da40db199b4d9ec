"""From a fleet to what runs: build, plan, then carry the plan out and see how it ended.

    prepare:    doctor → images built → assembly → AWS read → Plan          (changes nothing on AWS)
    carry out:  bootstrap → registry → push → assembly by digest → CDK → deployments followed → Result

Nothing is kept on this machine. What was interrupted is found again on AWS: busy stacks are waited for, images that
are there are not pushed again, and CloudFormation compares what is left to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inferfleet.deploy import cdk_stacks
from inferfleet.deploy.operations import cdk, images, mend, stacks
from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.balancers import read_balancers
from inferfleet.deploy.operations.follow import Follower, Watch
from inferfleet.deploy.operations.images import Built
from inferfleet.deploy.operations.localise import Substitution
from inferfleet.deploy.operations.plan import ImagePlan, Plan, lost_traffic, plan_stacks, rollouts
from inferfleet.deploy.operations.service import read_services
from inferfleet.deploy.operations.stacks import Action
from inferfleet.deploy.operations.teller import Teller
from inferfleet.deploy.operations.verdict import Verdict, exit_code
from inferfleet.deploy.plan import ways
from inferfleet.deploy.reach import reach
from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.errors import InputError, OutsideError


@dataclass(frozen=True)
class Job:
    """What is to be deployed, and where.

    Attributes:
        fleet: The fleet, as it runs there.
        folder: The folder of its fleet.yaml.
        work: A folder for the assembly, which may go afterwards.
        account: Where.
        substitutions: What the local cloud plays otherwise.
        given: Images that are not built but taken from the Docker engine, by their name in the fleet.
    """

    fleet: ResolvedFleet
    folder: Path
    work: Path
    account: Account
    substitutions: tuple[Substitution, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the ECS services."""
        return tuple(service.names.service for service in self.fleet.services if service.target != "eks")

    @property
    def registry(self) -> str:
        """Name of the stack with the repositories."""
        return f"{self.fleet.file.name}-registry"


@dataclass(frozen=True)
class Prepared:
    """A plan, and what carrying it out needs.

    Attributes:
        plan: The plan.
        built: The images in the Docker engine.
        uris: Where each image is, or will be.
    """

    plan: Plan
    built: tuple[Built, ...]
    uris: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """How a deployment ended.

    Attributes:
        fleet: The fleet's name.
        region: The region.
        verdicts: What became of each service.
        addresses: Where each service answers that has a load balancer, by its name.
        outputs: What the stacks tell, by stack.
        errors: What CloudFormation failed at.
        seconds: How long it took.
    """

    fleet: str
    region: str
    verdicts: tuple[Verdict, ...]
    addresses: Mapping[str, str]
    outputs: Mapping[str, Mapping[str, str]]
    errors: tuple[str, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 all succeeded, 1 rolled back or failed, 3 AWS failed, 4 not decided yet."""
        decided = exit_code(self.verdicts)
        return 3 if self.errors and not decided else decided

    def as_data(self) -> dict[str, Any]:
        """The result for a program."""
        return {**asdict(self), "exit_code": self.exit_code}


def prepare(job: Job, teller: Teller, *, build: bool = True) -> Prepared:
    """Builds the images and plans the deployment; on AWS nothing is changed.

    Args:
        job: What and where.
        teller: Hears of it.
        build: Whether images are built; otherwise the plan counts with those that are deployed.

    Raises:
        InputError: The fleet cannot be deployed as it is.
        OutsideError: Docker or AWS fails.
    """
    built = _build(job, teller) if build else ()
    uris = {item.name: _uri(job, item) for item in built}
    if not build:
        families = {service.key: service.names.family for service in job.fleet.services}
        uris = images.in_use(job.account, job.fleet.file, families)
    teller.step("reading what is there")
    templates = synthesise(job, uris, draft=not build)
    stacks.wait_idle(job.account, templates, teller.note)
    states = stacks.read(job.account, templates)
    planned = plan_stacks(job.account, templates, states)
    begun, problems = rollouts(job.fleet, planned)
    plan = Plan(
        fleet=job.fleet.file.name, account=job.account.id, region=job.account.region, local=job.account.is_local,
        bootstrap=stacks.needs_bootstrap(job.work) and not stacks.is_bootstrapped(job.account),
        images=tuple(_image_plans(job, built, uris)),
        stacks=planned, rollouts=begun, substitutions=job.substitutions,
        problems=problems + lost_traffic(job.account, planned),
        ways_out=ways.lines(job.fleet.file.network, reach(job.fleet, job.folder)),
    )  # fmt: skip
    return Prepared(plan, built, uris)


def carry_out(job: Job, prepared: Prepared, teller: Teller, *, timeout: float) -> Result:
    """Does what a plan says, and follows it to its end.

    Args:
        job: What and where.
        prepared: The plan.
        teller: Hears of it.
        timeout: Seconds after which deployments that are not decided are left to themselves.

    Raises:
        OutsideError: AWS, Docker or the CDK fails before any service is deployed.
    """
    began = datetime.now(UTC)
    errors: list[str] = []
    follower = Follower(Account(job.account.region), job.fleet.cluster, job.services, teller.progress, began)
    if not prepared.plan.changes_nothing:
        _clear_the_way(job, prepared, teller)
        names = [item.name for item in prepared.plan.stacks if item.action is not Action.NOTHING]
        pushed = _push(job, prepared, teller)
        if pushed != prepared.uris:
            synthesise(job, pushed)
        teller.step("deploying the stacks")
        try:
            with Watch(follower):
                cdk.deploy(job.account, job.work, names, _events(teller))
        except OutsideError as error:
            stacks.wait_idle(job.account, names, teller.note)
            errors = [f"{name}: {reason}" for name in names for reason in _failures(job.account, name, began)]
            errors = errors or [str(error)]
    teller.step("following the deployments")
    verdicts = follower.follow(timeout)
    if not errors and not any(verdict.is_bad for verdict in verdicts):
        mended = mend.bring_back(job.account, job.fleet, teller)
        verdicts = follower.follow(timeout) if mended else verdicts
    states = stacks.read(job.account, [item.name for item in prepared.plan.stacks])
    return Result(
        fleet=job.fleet.file.name, region=job.account.region, verdicts=tuple(verdicts),
        addresses=_addresses(job),
        outputs={name: dict(state.outputs) for name, state in states.items() if state.outputs},
        errors=tuple(errors), seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
    )  # fmt: skip


def synthesise(job: Job, uris: Mapping[str, str], *, draft: bool = False) -> dict[str, dict[str, Any]]:
    """Writes the assembly into the job's folder; the templates by stack, each after those that it needs.

    Raises:
        InputError: The CDK is not installed, or the fleet cannot be made into stacks.
    """
    assembly = cdk_stacks.synthesise(job.fleet, job.folder, images=uris, out=job.work, draft=draft)
    return {stack.name: json.loads(stack.template.read_text()) for stack in assembly.stacks}


def _build(job: Job, teller: Teller) -> tuple[Built, ...]:
    found = []
    for name, image in images.needed(job.fleet.file).items():
        if name in job.given:
            found.append(images.take(name, image, job.given[name]))
            continue
        teller.step(f"building image {name}")
        # What runs here is built for here; a laptop of another kind builds for the machines of AWS.
        processors = "" if job.account.is_local else images.architecture(job.fleet.file, name)
        found.append(images.build(job.folder, name, image, teller.detail, processors=processors))
    unknown = set(job.given) - set(images.needed(job.fleet.file))
    if unknown:
        known = ", ".join(images.needed(job.fleet.file)) or "none"
        raise InputError(f"--image {min(unknown)}: the fleet builds no such image; it builds: {known}")
    return tuple(found)


def _uri(job: Job, built: Built) -> str:
    """Where an image is, or where it will be; the local cloud runs it from the Docker engine that has it."""
    if job.account.is_local:
        return images.local_name(job.account, built)
    return images.pushed(job.account, built) or f"{images.registry(job.account)}/{built.repository}:{built.tag}"


def _image_plans(job: Job, built: tuple[Built, ...], uris: Mapping[str, str]) -> list[ImagePlan]:
    if not built:
        return [ImagePlan(name, "as it is deployed", uri) for name, uri in uris.items()]
    plans = []
    for item in built:
        uri = uris[item.name]
        action = "stays on this machine" if job.account.is_local else "there already" if "@" in uri else "push"
        plans.append(ImagePlan(item.name, action, uri, item.size))
    return plans


def _clear_the_way(job: Job, prepared: Prepared, teller: Teller) -> None:
    if prepared.plan.bootstrap:
        teller.step("bootstrapping the CDK")
        cdk.bootstrap(job.account, job.work, teller.detail)
    for item in prepared.plan.stacks:
        mend.clear(job.account, item.name, item.status, teller)


def _push(job: Job, prepared: Prepared, teller: Teller) -> Mapping[str, str]:
    """Pushes what is not there; returns every image by its digest."""
    waiting = [item for item in prepared.built if "@" not in prepared.uris[item.name]]
    if not waiting or job.account.is_local:
        return prepared.uris
    action = {item.name: item.action for item in prepared.plan.stacks}.get(job.registry, Action.NOTHING)
    if action is not Action.NOTHING:
        teller.step("making the repositories")
        cdk.deploy(job.account, job.work, [job.registry], _events(teller))
    pushed = dict(prepared.uris)
    for item in waiting:
        teller.step(f"pushing image {item.name}")
        pushed[item.name] = images.push(job.account, item, teller.detail)
    return pushed


def _events(teller: Teller) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        event = cdk.parse(line)
        if event is None:
            teller.detail(line)
        elif event.is_decided:
            teller.note(f"{event.stack}: {event.status}")
        else:
            teller.detail(f"{event.stack} {event.done}  {event.status}  {event.type} {event.resource}")

    return on_line


def _failures(account: Account, stack: str, began: datetime) -> list[str]:
    return stacks.failures(account, stack, began) if stack in stacks.read(account, [stack]) else []


def _addresses(job: Job) -> dict[str, str]:
    states = read_services(job.account, job.fleet.cluster, job.services)
    return {
        name: balancer.url
        for name, state in states.items()
        for balancer in read_balancers(job.account, state.target_groups)
    }

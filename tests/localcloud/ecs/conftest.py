"""A local cloud with a load balancer, and services of a small server whose behaviour its variables choose."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import textwrap
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from inferfleet.localcloud import cloud

DEADLINE_S = 90.0
PORT = 8080
REPOSITORY = Path(__file__).parents[3]

SERVER = textwrap.dedent("""
    import http.server, os, signal, sys, time, urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/slow":
                time.sleep(0.4)
            if self.path == "/reach":
                text = self.reach()
            else:
                text = os.environ["VERSION"]
            sick = self.path == "/healthz" and os.environ.get("SICK")
            self.send_response(500 if sick else 200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def reach(self):
            addresses = [os.environ["AWS_ENDPOINT_URL"] + "/_ministack/health",
                         os.environ["AWS_ENDPOINT_URL_KINESIS_VIDEO"] + "/_inferfleet/state",
                         os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task"]
            return " ".join(str(urllib.request.urlopen(address, timeout=5).status) for address in addresses)

        def log_message(self, *words):
            pass

    def end(*_):
        print("bye from", os.environ["VERSION"], flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    print("hello from", os.environ["VERSION"], flush=True)
    if os.environ.get("CRASH"):
        sys.exit(int(os.environ["CRASH"]))
    http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
""")


@dataclass(frozen=True)
class Balanced:
    """A load balancer with a listener that forwards to the first of two target groups."""

    host: str
    listener: str
    rule: str
    groups: tuple[str, str]


class World:
    """The local cloud and what tests do with it."""

    def __init__(self, running: cloud.Cloud, image: str) -> None:
        self.image = image
        self.url = running.services["aws"].url
        options = {"endpoint_url": self.url, "region_name": running.region}
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        # Health checks every second are below what boto3 lets through, though not below what tests have time for.
        lenient = Config(parameter_validation=False)
        names = ("ecs", "elbv2", "logs", "cloudwatch", "events", "sqs", "ecr")
        self.ecs, self.elb, self.logs, self.cloudwatch, self.events, self.sqs, self.ecr = (
            boto3.client(name, **options, **keys, config=lenient) for name in names
        )
        self.services: list[str] = []
        self.ecs.create_cluster(clusterName="fleet")
        self.logs.create_log_group(logGroupName="/ecs/web")

    def balanced(self) -> Balanced:
        name = uuid.uuid4().hex[:8]
        made = self.elb.create_load_balancer(Name=name, Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
        blue, green = (self._group(f"{name}-{color}") for color in ("blue", "green"))
        forward = {"TargetGroups": [{"TargetGroupArn": blue, "Weight": 1}, {"TargetGroupArn": green, "Weight": 0}]}
        listener = self.elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Port=80,
            Protocol="HTTP",
            DefaultActions=[{"Type": "forward", "ForwardConfig": forward}],
        )["Listeners"][0]["ListenerArn"]
        rule = self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
        return Balanced(made["DNSName"], listener, rule, (blue, green))

    def _group(self, name: str) -> str:
        group = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=PORT,
            TargetType="ip",
            VpcId="vpc-1",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=1,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
        return str(group)

    def container(self, version: str = "v1", **variables: Any) -> dict[str, Any]:
        settings = {key: variables.pop(key) for key in list(variables) if key[0].islower()}
        environment = {"VERSION": version, **{name: str(value) for name, value in variables.items()}}
        return {
            "name": "web",
            "image": self.image,
            "command": ["python", "-c", SERVER],
            "portMappings": [{"containerPort": PORT}],
            "stopTimeout": 5,
            "linuxParameters": {"initProcessEnabled": True},
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/web",
                    "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "ecs",
                },
            },
            **settings,
        }

    def define(self, *containers: dict[str, Any], family: str = "web", **settings: Any) -> str:
        made = self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=list(containers),
            **settings,
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def create(
        self, task_definition: str, count: int = 1, balanced: Balanced | None = None, **configuration: Any
    ) -> str:
        """Creates a service and waits for its first deployment."""
        name = f"web-{uuid.uuid4().hex[:8]}"
        settings: dict[str, Any] = {}
        if balanced:
            entry: dict[str, Any] = {
                "targetGroupArn": balanced.groups[0],
                "containerName": "web",
                "containerPort": PORT,
            }
            if configuration.get("strategy", "ROLLING") != "ROLLING":
                entry["advancedConfiguration"] = {
                    "alternateTargetGroupArn": balanced.groups[1],
                    "productionListenerRule": balanced.rule,
                    "roleArn": "arn:aws:iam::000000000000:role/ecs",
                }
            settings = {"loadBalancers": [entry]}
        self.services.append(name)
        self.ecs.create_service(
            cluster="fleet",
            serviceName=name,
            taskDefinition=task_definition,
            desiredCount=count,
            launchType="FARGATE",
            healthCheckGracePeriodSeconds=60,
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}, **configuration},
            **settings,
        )
        return name

    def update(self, service: str, **changes: Any) -> None:
        self.ecs.update_service(cluster="fleet", service=service, **changes)

    def service(self, name: str) -> dict[str, Any]:
        return self.ecs.describe_services(cluster="fleet", services=[name])["services"][0]

    def deployment(self, name: str) -> dict[str, Any]:
        """The latest deployment of a service."""
        listed = self.ecs.list_service_deployments(cluster="fleet", service=name)["serviceDeployments"]
        arn = listed[0]["serviceDeploymentArn"]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def settled(self, name: str) -> dict[str, Any]:
        """The latest deployment of a service, once it is decided."""
        under_way = ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
        return self.wait(lambda: (found := self.deployment(name))["status"] not in under_way and found)

    def tasks(self, name: str, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="fleet", serviceName=name, desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="fleet", tasks=arns)["tasks"] if arns else []

    def wait(self, condition: Callable[[], Any]) -> Any:
        """What a condition gives, once that is something."""
        until = time.monotonic() + DEADLINE_S
        while not (found := condition()):
            assert time.monotonic() < until, "nothing came of it in time"
            time.sleep(0.05)
        return found

    def get(self, host: str, path: str = "/") -> tuple[int, str]:
        """Status and body of a request through a load balancer."""
        request = urllib.request.Request(self.url + path, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @contextlib.contextmanager
    def load(self, host: str, path: str = "/slow", users: int = 3) -> Iterator[Counter[tuple[int, str]]]:
        """Sends requests all the while, and counts their answers."""
        answers: Counter[tuple[int, str]] = Counter()
        over = threading.Event()

        def user() -> None:
            while not over.is_set():
                answers[self.get(host, path)] += 1

        with ThreadPoolExecutor(users) as pool:
            running = [pool.submit(user) for _ in range(users)]
            try:
                yield answers
            finally:
                over.set()
        for one in running:
            one.result()


@pytest.fixture(scope="session")
def python_image(docker_engine: None) -> str:
    """The image that ours are built on, which holds Python."""
    dockerfile = (REPOSITORY / "docker" / "Dockerfile").read_text()
    name = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", dockerfile, re.MULTILINE)[0]
    if subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode:
        pytest.skip(f"needs the image {name}; `python tools/docker_engine.py` pulls or makes it")
    return str(name)


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """The local cloud, without the services of earlier tests."""
    yield shared_world
    while shared_world.services:
        with contextlib.suppress(ClientError):
            shared_world.ecs.delete_service(cluster="fleet", service=shared_world.services.pop(), force=True)


@pytest.fixture(scope="session")
def shared_world(python_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A local cloud in which a minute of waiting takes a second, and of measuring two."""
    home = tmp_path_factory.mktemp("cloud")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFERFLEET_LOCAL_PACE", "60")
        patch.setenv("INFERFLEET_AUTOSCALING_MINUTE_S", "2")
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        running = cloud.start(home, port=0, kvs_port=0)
    try:
        yield World(running, python_image)
    finally:
        cloud.stop(home)

"""Operations by the command line on a local cloud that records tasks and starts no containers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from inferfleet.deploy.operations import tools
from inferfleet.localcloud import cloud

DEADLINE_S = 120.0


class Fleet:
    """A fleet on a local cloud, and the commands that act on it."""

    def __init__(self, folder: Path, environment: dict[str, str], running: cloud.Cloud) -> None:
        self.file = folder / "fleet.yaml"
        self._environment, self._url = environment, running.services["aws"].url

    def write(self, **variables: str) -> None:
        service = {
            "image": "example.com/api:1.4.0", "cpu": 256, "memory": 512, "count": 2, "environment": variables,
            "deployment": {"strategy": "rolling"},
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump({"name": "vision", "services": {"api": service}, "dashboards": False}))

    def client(self, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.Session(region_name="us-east-1", **keys).client(name, endpoint_url=self._url)

    def command(self, name: str, *options: str) -> list[str]:
        place = [str(self.file)] if name in ("deploy", "destroy", "status", "plan") else ["--fleet", str(self.file)]
        return [sys.executable, "-m", "inferfleet", name, *place, "--local", *options]

    def run(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *options),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def begin(self, name: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(name, *options), env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, text=True,
        )  # fmt: skip

    def variable(self, name: str) -> str:
        """What a variable is in the version that the service runs."""
        service = self.client("ecs").describe_services(cluster="vision-cluster", services=["api-service"])["services"][
            0
        ]
        found = self.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        return {item["name"]: item["value"] for item in found["containerDefinitions"][0]["environment"]}[name]

    def wait(self, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE_S
        while not ready():
            assert time.monotonic() < until, "it does not happen"
            time.sleep(0.05)


@pytest.fixture
def fleet(tmp_path: Path, docker_engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet of two tasks. Its cloud finds no Docker; the command line wants one, and finds it."""
    home = tmp_path / "cloud"
    with monkeypatch.context() as without:
        without.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
        without.setenv("INFERFLEET_LOCAL_PACE", "60")
        running = cloud.start(home, port=0, kvs_port=0)
    try:
        found = Fleet(tmp_path, {**os.environ, "INFERFLEET_LOCAL_DIR": str(home)}, running)
        found.write(RELEASE="1")
        yield found
    finally:
        cloud.stop(home)


@pytest.mark.slow
@pytest.mark.skipif(tools.find_cdk() is None, reason=f"needs the CDK's command line: {tools.INSTALL_CDK}")
def test_a_killed_deployment_is_finished_and_a_rollback_is_undone_by_the_same_command(fleet: Fleet) -> None:
    stacks = fleet.client("cloudformation")
    killed = fleet.begin("deploy", "--yes")
    fleet.wait(lambda: bool(stacks.list_stacks()["StackSummaries"]))
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()

    finished = fleet.run("deploy", "--yes", "--json")
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["result"]["verdicts"][0]["outcome"] in ("succeeded", "unchanged")
    status = fleet.run("status", "--json")
    assert status.returncode == 0, status.stdout
    assert json.loads(status.stdout)["services"][0]["state"]["running"] == 2

    fleet.write(RELEASE="2")
    assert fleet.run("deploy", "--yes").returncode == 0
    assert fleet.variable("RELEASE") == "2"
    back = fleet.run("rollback", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert fleet.variable("RELEASE") == "1"

    again = fleet.run("deploy", "--yes")
    assert again.returncode == 0 and "Nothing to change" in again.stdout, again.stdout + again.stderr
    assert fleet.variable("RELEASE") == "2", "a rollback by hand is not undone"

    removed = fleet.run("destroy", "--yes")
    assert removed.returncode == 0 and "nothing is left" in removed.stdout, removed.stdout + removed.stderr
    assert fleet.client("ecs").list_clusters()["clusterArns"] == []


def test_a_fleet_that_was_made_by_hand_is_seen_scaled_and_removed_by_its_names(fleet: Fleet) -> None:
    ecs, logs, tables = (fleet.client(name) for name in ("ecs", "logs", "dynamodb"))
    ecs.create_cluster(clusterName="vision-cluster")
    container = {"name": "api", "image": "example.com/api:1.4.0", "environment": [{"name": "RELEASE", "value": "1"}]}
    ecs.register_task_definition(
        family="api-task", cpu="256", memory="512", networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
        containerDefinitions=[container],
    )  # fmt: skip
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    ecs.create_service(
        cluster="vision-cluster", serviceName="api-service", taskDefinition="api-task", desiredCount=1,
        launchType="FARGATE", networkConfiguration=network,
    )  # fmt: skip
    logs.create_log_group(logGroupName="/ecs/api")
    logs.create_log_stream(logGroupName="/ecs/api", logStreamName="ecs/api/0123abcd")
    now = int(time.time() * 1000)
    lines = [{"timestamp": now - 1000, "message": "ready"}, {"timestamp": now, "message": "ERROR: no such model"}]
    logs.put_log_events(logGroupName="/ecs/api", logStreamName="ecs/api/0123abcd", logEvents=lines)
    tables.create_table(
        TableName="vision-events", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        Tags=[{"Key": "inferfleet:fleet", "Value": "vision"}],
    )  # fmt: skip

    scaled = fleet.run("scale", "api", "3", "--json")
    assert scaled.returncode == 0, scaled.stderr
    assert json.loads(scaled.stdout)["running"] == 3
    printed = fleet.run("logs", "--grep", "ERROR", "--json")
    assert [json.loads(line)["text"] for line in printed.stdout.splitlines()] == ["ERROR: no such model"]
    assert json.loads(printed.stdout)["task"] == "0123abcd"

    ecs.create_service(
        cluster="vision-cluster", serviceName="billing", taskDefinition="api-task", desiredCount=0,
        launchType="FARGATE", networkConfiguration=network,
    )  # fmt: skip
    first = fleet.run("destroy", "--yes", "--json")
    done = json.loads(first.stdout)
    assert first.returncode == 0, first.stderr
    assert {"service api-service", "log group /ecs/api", "task definitions api-task"} <= set(done["gone"])
    left = {item["what"]: item["why"] for item in done["left"]}
    assert "--data" in left["table vision-events"] and "billing" in left["cluster vision-cluster"]

    ecs.delete_service(cluster="vision-cluster", service="billing", force=True)
    second = fleet.run("destroy", "--yes", "--data", "--json")
    assert second.returncode == 0, second.stderr
    assert set(json.loads(second.stdout)["gone"]) == {"cluster vision-cluster", "table vision-events"}
    assert "nothing is there" in fleet.run("destroy", "--yes").stdout


def test_without_a_deployment_every_command_says_what_is_missing_and_the_way_to_it(fleet: Fleet) -> None:
    status = fleet.run("status")
    assert status.returncode == 1 and "not deployed" in status.stdout
    for name, options in {"rollback": ("--yes",), "restart": (), "scale": ("api", "2"), "exec": ("api", "id")}.items():
        done = fleet.run(name, *options)
        assert done.returncode == 1, f"{name}: {done.stdout}{done.stderr}"
        assert "there is no service api-service in cluster vision-cluster" in done.stderr, done.stderr
    assert "there is no log group /ecs/api" in fleet.run("logs").stderr

"""Tasks of the local cloud: what their containers are given, what becomes of their output, how they end."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
import urllib.request
import uuid

from inferfleet.localcloud import cloud
from tests.localcloud.ecs.conftest import World


def run(world, *containers, **overrides):
    made = world.ecs.run_task(cluster="fleet", taskDefinition=world.define(*containers, family="job"), **overrides)
    return made["tasks"][0]["taskArn"]


def task(world, arn, status="STOPPED"):
    return world.wait(
        lambda: (
            (found := world.ecs.describe_tasks(cluster="fleet", tasks=[arn])["tasks"][0])["lastStatus"] == status
            and found
        )
    )


def python(world, code, **settings):
    return world.container(command=["python", "-c", code], **settings)


def test_a_container_reaches_the_cloud_that_it_runs_in(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container()), balanced=balanced)
    assert world.settled(service)["status"] == "SUCCESSFUL"
    assert world.get(balanced.host, "/reach") == (200, "200 200 200")


def test_output_is_in_the_log_group_with_its_time(world):
    arn = run(world, python(world, "print('one'); print('two')"))
    task(world, arn)
    stream = f"ecs/web/{arn.rsplit('/', 1)[-1]}"
    events = world.logs.get_log_events(logGroupName="/ecs/web", logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["one", "two"]
    assert all(abs(event["timestamp"] / 1000 - time.time()) < 60 for event in events)


def test_overrides_reach_the_container_and_its_exit_code_is_told(world):
    override = {"name": "web", "command": ["python", "-c", "import os; exit(int(os.environ['CODE']))"]}
    override["environment"] = [{"name": "CODE", "value": "3"}]
    ended = task(world, run(world, world.container(), overrides={"containerOverrides": [override]}))
    assert ended["containers"][0]["exitCode"] == 3
    assert ended["stopCode"] == "EssentialContainerExited"


def test_a_container_waits_for_the_health_of_another_and_shares_its_address(world):
    ready = {"command": ["CMD-SHELL", "test -e /tmp/ready"], "interval": 1, "retries": 30}
    serve = "import pathlib, http.server, time; time.sleep(0.5); pathlib.Path('/tmp/ready').touch(); " + (
        "http.server.HTTPServer(('', 9000), http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    side = python(world, serve, name="side", healthCheck=ready)
    ask = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9000/etc/hostname').status)"
    main = python(world, ask, dependsOn=[{"containerName": "side", "condition": "HEALTHY"}])
    ended = task(world, run(world, main, side))
    assert {one["name"]: one["exitCode"] for one in ended["containers"]}["web"] == 0


def test_a_stopped_task_gets_a_term_signal_and_then_its_time(world):
    wait = "import signal, time; signal.signal(15, lambda *_: exit(5)); print('up', flush=True); time.sleep(60)"
    arn = run(world, python(world, wait))
    stream = f"ecs/web/{arn.rsplit('/', 1)[-1]}"
    task(world, arn, "RUNNING")
    world.wait(lambda: "up" in str(world.logs.filter_log_events(logGroupName="/ecs/web", logStreamNames=[stream])))
    world.ecs.stop_task(cluster="fleet", task=arn, reason="enough")
    ended = task(world, arn)
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough")
    assert ended["containers"][0]["exitCode"] == 5


def test_a_read_only_root_takes_writes_where_memory_is_mounted(world):
    settings = {
        "readonlyRootFilesystem": True,
        "linuxParameters": {"tmpfs": [{"containerPath": "/scratch", "size": 8}]},
    }
    code = "open('/scratch/a', 'w').close()\ntry: open('/b', 'w')\nexcept OSError: exit(4)"
    ended = task(world, run(world, python(world, code, **settings)))
    assert ended["containers"][0]["exitCode"] == 4


def test_use_and_requests_are_measured(world):
    balanced = world.balanced()
    service = world.create(world.define(world.container()), balanced=balanced)
    world.settled(service)

    def value(namespace, metric, dimensions, statistic):
        found = world.cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": text} for name, text in dimensions.items()],
            StartTime=time.time() - 60,
            EndTime=time.time() + 60,
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return sum(point[statistic] for point in found)

    own = {"ClusterName": "fleet", "ServiceName": service}
    group = {"TargetGroup": balanced.groups[0].rsplit(":", 1)[-1]}
    with world.load(balanced.host, "/", users=1):
        world.wait(lambda: value("AWS/ApplicationELB", "RequestCountPerTarget", group, "Sum") > 5)
        world.wait(lambda: value("AWS/ECS", "CPUUtilization", own, "Average") > 0)
    assert 0 < value("AWS/ECS", "MemoryUtilization", own, "Average") < 100


def test_a_weighted_rule_is_kept_and_followed(world):
    balanced = world.balanced()
    for version, group in zip(("blue", "green"), balanced.groups, strict=True):
        arn = run(world, world.container(version))
        address = task(world, arn, "RUNNING")["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        world.wait(lambda address=address: answers(f"http://{address}:8080/healthz"))
        world.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": 8080}])
    forward = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 50} for group in balanced.groups]}
    rule = world.elb.create_rule(
        ListenerArn=balanced.listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/half"]}],
        Actions=[{"Type": "forward", "ForwardConfig": forward}],
    )["Rules"][0]
    assert rule["Actions"][0]["ForwardConfig"]["TargetGroups"] == forward["TargetGroups"]
    assert {world.get(balanced.host, "/half") for _ in range(40)} == {(200, "blue"), (200, "green")}
    assert {world.get(balanced.host) for _ in range(10)} == {(200, "blue")}


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def test_an_image_that_was_pushed_to_the_registry_is_found_there(world):
    name = f"pushed-{uuid.uuid4().hex[:8]}"
    port = world.url.rsplit(":", 1)[-1]
    world.ecr.create_repository(repositoryName=name)
    local = f"127.0.0.1:{port}/{name}:1"
    for command in (["import", "-", local], ["push", "-q", local], ["rmi", local]):
        subprocess.run(["docker", *command], input=empty_archive(), check=True, capture_output=True)
    container = world.container(image=f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{name}:1", linuxParameters={})
    try:
        ended = task(world, run(world, container))
    finally:
        subprocess.run(["docker", "rmi", "-f", local], check=True, capture_output=True)
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotStartContainerError"), "it was pulled, but holds nothing to run"


def test_without_an_engine_tasks_are_records_that_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    running = cloud.start(tmp_path, port=0, kvs_port=0)
    try:
        world = World(running, "nothing:1")
        service = world.create(world.define(world.container("v1")), count=2)
        assert world.settled(service)["status"] == "SUCCESSFUL"
        world.update(service, taskDefinition=world.define(world.container("v2")))
        assert world.settled(service)["status"] == "SUCCESSFUL"
        assert {one["taskDefinitionArn"][-1] for one in world.tasks(service)} == {"2"}
        world.ecs.delete_service(cluster="fleet", service=service, force=True)
        world.wait(lambda: world.service(service)["status"] == "INACTIVE")
    finally:
        cloud.stop(tmp_path)


def empty_archive():
    """A root file system with nothing in it but a folder."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    return archive.getvalue()

"""examples/kvs-infer on the local cloud: cameras in, a task killed, and no event lost in Kinesis, DynamoDB and S3."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import docker
import pytest

from inferfleet.deploy.operations import tools
from inferfleet.localcloud import cloud as localcloud
from inferfleet.streams.event import Event, decode
from tests.chaos.film import SIDE, Truth, detector, film, truths
from tests.conftest import REPOSITORY

FLEET = REPOSITORY / "examples" / "kvs-infer" / "fleet.yaml"
EVENTS, PICTURES, INDEX = "kvs-detection-events", "kvs-inference-snapshots", "kvs-inference-metadata"
LEASES = "kvs-inference-leases"
MODELS, MODEL = "kvs-models", "squares.onnx"
CAMERAS = ("camera-1", "camera-2")
GATE = (0.1, 0.4, 0.9, 1.0)
"""The zone of camera-1, in parts of the picture."""
SECONDS = 35
DEADLINE_S = 240.0


class Seen(NamedTuple):
    """An event that must come: which camera tells what of which square."""

    camera: str
    number: int
    type: str


class Site:
    """The local cloud with what the fleet expects to find: streams in, a stream and a bucket out, a model."""

    def __init__(self, cloud: localcloud.Cloud, folder: Path) -> None:
        self.environment = {**os.environ, **cloud.environment(), "INFERFLEET_LOCAL_DIR": str(folder)}
        self.environment["MODEL_PATH"] = f"s3://{MODELS}/{MODEL}"
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=cloud.region)
        url = cloud.services["aws"].url
        self.kinesis: Any = session.client("kinesis", endpoint_url=url)
        self.s3: Any = session.client("s3", endpoint_url=url)
        self.dynamodb: Any = session.client("dynamodb", endpoint_url=url)
        self.ecs: Any = session.client("ecs", endpoint_url=url)
        video: Any = session.client("kinesisvideo", endpoint_url=cloud.services["kvs"].url)
        for camera in CAMERAS:
            video.create_stream(StreamName=camera, DataRetentionInHours=1)
        self.kinesis.create_stream(StreamName=EVENTS, ShardCount=1)
        self.s3.create_bucket(Bucket=PICTURES)
        self.s3.create_bucket(Bucket=MODELS)
        self.s3.upload_file(str(detector(folder / MODEL)), MODELS, MODEL)

    def run(self, *command: str) -> str:
        """What `inferfleet` prints, once it has ended well."""
        done = subprocess.run(
            [sys.executable, "-m", "inferfleet", *command],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    @contextmanager
    def filming(self, clip: Path, camera: str) -> Iterator[subprocess.Popen[bytes]]:
        """A producer that puts a film into a stream in real time."""
        command = [sys.executable, "-m", "inferfleet", "kvs", "put", str(clip), "--stream", camera, "--realtime"]
        with subprocess.Popen([*command, "--fragment", "1"], env=self.environment) as producer:
            try:
                yield producer
            finally:
                producer.kill()

    def events(self) -> list[Event]:
        """All events in the Kinesis stream, repeats included."""
        found = []
        for shard in self.kinesis.list_shards(StreamName=EVENTS)["Shards"]:
            place = self.kinesis.get_shard_iterator(
                StreamName=EVENTS, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while place:
                answer = self.kinesis.get_records(ShardIterator=place, Limit=1000)
                found += [decode(record["Data"]) for record in answer["Records"]]
                place = answer.get("NextShardIterator") if answer["Records"] else None
        return found

    def items(self) -> set[str]:
        """Ids of all events in the DynamoDB table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=INDEX, ProjectionExpression="id")
        return {item["id"]["S"] for page in pages for item in page["Items"]}

    def checkpoints(self) -> set[str]:
        """The cameras whose checkpoint is in the table of leases."""
        items = self.dynamodb.scan(TableName=LEASES)["Items"]
        return {item["id"]["S"].removeprefix("camera:") for item in items if "token" in item}

    def pictures(self) -> set[str]:
        """Keys of all pictures in the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=PICTURES)
        return {entry["Key"] for page in pages for entry in page.get("Contents", ())}

    def task(self) -> str | None:
        """The ARN of the task that runs."""
        found = self.ecs.list_tasks(cluster="kvs-infer-cluster", desiredStatus="RUNNING")["taskArns"]
        tasks = self.ecs.describe_tasks(cluster="kvs-infer-cluster", tasks=found)["tasks"] if found else []
        running = [task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"]
        return running[0] if running else None


@pytest.fixture
def site(tmp_path: Path, cpu_image: str) -> Iterator[Site]:
    if tools.find_cdk() is None:
        pytest.skip(f"needs the CDK's command line: {tools.INSTALL_CDK}")
    try:
        yield Site(localcloud.start(tmp_path, port=0, kvs_port=0), tmp_path)
    finally:
        localcloud.stop(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_deployed_worker_that_is_killed_loses_no_event(site: Site, cpu_image: str, tmp_path: Path) -> None:
    film(clip := tmp_path / "film.mp4", SECONDS)
    wanted = {seen for camera in CAMERAS for seen in _expected(camera)}
    told = site.run("deploy", str(FLEET), "--local", "--yes", "--image", f"kvs-infer={cpu_image}")
    assert "succeeded" in told

    with ExitStack() as producers:
        filming = [producers.enter_context(site.filming(clip, camera)) for camera in CAMERAS]
        # Before its first checkpoint a camera that starts `now` would start now again.
        until(lambda: site.checkpoints() == set(CAMERAS), lambda: site.run("logs", "--fleet", str(FLEET), "--local"))
        until(lambda: len(_ids(site.events())) >= 2, site.events)
        first = site.task()
        assert first is not None
        _kill(first)
        until(lambda: site.task() not in (None, first), site.task)
        assert all(producer.wait(DEADLINE_S) == 0 for producer in filming)

    until(lambda: wanted <= set(_ids(site.events())), lambda: wanted - set(_ids(site.events())))
    ids = _ids(site.events())
    assert set(ids) == wanted, "events of nothing that was filmed"
    assert all(len(found) == 1 for found in ids.values()), f"a second id for what was seen once: {ids}"
    once = {event.id for event in site.events()}
    until(lambda: site.items() == once, site.items)
    # Who leaves is no longer to be seen.
    shown = [event.data.snapshot for event in site.events() if event.type != "inferfleet.zone.leave"]
    assert all(shown)
    assert {urlsplit(str(place)).path.lstrip("/") for place in shown} <= site.pictures()
    workers = Counter(event.data.worker for event in site.events())
    assert len(workers) == 2, f"one worker saw everything, so nothing was tested: {workers}"


def _expected(camera: str) -> Iterator[Seen]:
    """What a camera must tell: every square, and of those in the gate's zone of camera-1 that they come and go."""
    for item in truths(SECONDS):
        yield Seen(camera, item.number, "inferfleet.detection")
        if camera == "camera-1" and _stands_in_gate(item):
            yield Seen(camera, item.number, "inferfleet.zone.enter")
            yield Seen(camera, item.number, "inferfleet.zone.leave")


def _stands_in_gate(item: Truth) -> bool:
    """Whether the middle of a square's lower edge is in the zone."""
    x1, _, x2, y2 = (value / SIDE for value in item.box)
    return GATE[0] <= (x1 + x2) / 2 <= GATE[2] and GATE[1] <= y2 <= GATE[3]


def _ids(events: list[Event]) -> Mapping[Seen, set[str]]:
    """The ids of events, by what they say."""
    found: dict[Seen, set[str]] = defaultdict(set)
    for event in events:
        near = min(truths(SECONDS), key=lambda item: _distance(item.box, event.data.box))
        assert _distance(near.box, event.data.box) < 2, event
        found[Seen(event.subject, near.number, event.type)].add(event.id)
    return found


def _distance(one: Any, other: Any) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _kill(task: str) -> None:
    """Kills the containers of a task, as a crash would."""
    client = docker.from_env()
    try:
        for container in client.containers.list(filters={"label": f"com.amazonaws.ecs.task-arn={task}"}):
            container.kill("SIGKILL")
    finally:
        client.close()


def until(condition: Callable[[], bool], about: Callable[[], object]) -> None:
    """Waits until something is so."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, about()
        time.sleep(0.25)

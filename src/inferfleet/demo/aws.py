"""The demo on AWS's services, emulated here: cameras on Kinesis Video Streams, events read back from the sinks.

Four producers put the clips into four streams in real time; a worker with leases reads them and delivers to Kinesis,
S3 and DynamoDB. What is judged is what these services hold in the end, not what the worker says.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from inferfleet.demo.clips import WrittenClip
from inferfleet.demo.run import Live, Result, configuration, judge, write_summary
from inferfleet.errors import OutsideError
from inferfleet.localcloud import cloud as localcloud
from inferfleet.localcloud.cloud import Cloud
from inferfleet.streams.event import Event, decode
from inferfleet.streams.kvs import recording
from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.put_media import Outgoing, Producer
from inferfleet.streams.status import CameraReport, WorkerReport

_STREAM, _BUCKET, _TABLE, _LEASES = "demo-events", "inferfleet-demo", "demo-events", "demo-leases"
_FRAGMENT_SECONDS = 2.0
_REFRESH_SECONDS = 0.5
_PATIENCE_SECONDS = 180.0
"""Seconds after which the demo gives up on a worker that makes no progress."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the services hold.

    Attributes:
        events: From Kinesis, each id once, in order for each camera.
        records: How many records Kinesis holds.
        items: Ids in DynamoDB.
        objects: Keys in S3.
    """

    events: list[Event]
    records: int
    items: set[str]
    objects: set[str]

    def complaint(self) -> str | None:
        """What does not fit together; None when all does."""
        ids = {event.id for event in self.events}
        if ids != self.items:
            only = len(ids ^ self.items)
            return f"Kinesis holds {len(ids)} events and DynamoDB {len(self.items)}; {only} are in one of them only"
        shown = {key for event in self.events if event.data.snapshot for key in [_key(event.data.snapshot)]}
        if missing := shown - self.objects:
            return f"{len(missing)} pictures that events refer to are not in S3, such as {min(missing)}"
        return None


def run_on_aws(folder: Path, clips: list[WrittenClip], live: Live) -> Result:
    """Runs the demo through the local cloud.

    Args:
        folder: Gets `cameras.yaml`, `worker.log`, `cloud/`, `pictures/` and `summary.json`.
        clips: The rendered clips.
        live: Shows the progress.

    Raises:
        OutsideError: The cloud or the worker failed, or what the services hold does not fit together.
    """
    localcloud.stop(folder / "cloud")  # what an earlier run left behind that could not stop it
    for name in ("cloud", "spool", "pictures"):
        shutil.rmtree(folder / name, ignore_errors=True)
    with stopped_for_sure(), running_cloud(folder / "cloud") as cloud:
        site = _Site(cloud)
        site.prepare([written.clip.name for written in clips])
        (folder / "cameras.yaml").write_text(yaml.safe_dump(_configuration(folder, clips), sort_keys=False))
        with _worker(folder, cloud) as report:
            producers = [_Put(site.account, written) for written in clips]
            began = time.perf_counter()
            _watch(report, producers, live)
            seconds = time.perf_counter() - began
            frames = sum(put.frames for put in producers) - sum(camera.skipped for camera in report().cameras)
        delivered = site.read_back()
        complaint = delivered.complaint()
        if complaint is not None:
            raise OutsideError(f"the services do not agree: {complaint}; see {folder / 'worker.log'}")
        starts = {put.name: (put.start, put.fps) for put in producers}
        events = [_as_in_clip(event, *starts[event.subject]) for event in delivered.events]
        result = judge(events, clips, frames, seconds, lambda address: site.fetch(address, folder / "pictures"))
    write_summary(result, folder)
    return result


@contextmanager
def stopped_for_sure() -> Iterator[None]:
    """Makes SIGTERM and a closed terminal an interrupt, so that what was started is stopped then as after Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def running_cloud(home: Path) -> Iterator[Cloud]:
    """The local cloud while it is needed. Its end is not to be interrupted: nothing of it may stay behind."""
    try:
        yield localcloud.start(home, port=0, kvs_port=0)
    finally:
        handled = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        localcloud.stop(home)
        for number, handler in handled.items():
            signal.signal(number, handler)


class _Site:
    """The services, as the demo uses them."""

    def __init__(self, cloud: Cloud) -> None:
        import boto3

        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=cloud.region)
        url = cloud.services["aws"].url
        self._kinesis: Any = session.client("kinesis", endpoint_url=url)
        self._s3: Any = session.client("s3", endpoint_url=url)
        self._dynamodb: Any = session.client("dynamodb", endpoint_url=url)
        self._video: Any = session.client("kinesisvideo", endpoint_url=cloud.services["kvs"].url)
        self.account = _LocalAccount(session, cloud.services["kvs"].url)

    def prepare(self, cameras: list[str]) -> None:
        """Makes the streams and the bucket; the worker makes its tables itself."""
        for camera in cameras:
            self._video.create_stream(StreamName=camera, DataRetentionInHours=1, MediaType="video/h264")
        self._kinesis.create_stream(StreamName=_STREAM, ShardCount=2)
        self._kinesis.get_waiter("stream_exists").wait(StreamName=_STREAM, WaiterConfig={"Delay": 1})
        self._s3.create_bucket(Bucket=_BUCKET)

    def read_back(self) -> Delivered:
        """Reads everything from the services."""
        events: dict[str, Event] = {}
        records = 0
        for body in self._records():
            records += 1
            event = decode(body)
            events.setdefault(event.id, event)
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=_TABLE, ProjectionExpression="id")
        items = {item["id"]["S"] for page in pages for item in page["Items"]}
        listed = self._s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        objects = {entry["Key"] for page in listed for entry in page.get("Contents", ())}
        return Delivered(list(events.values()), records, items, objects)

    def fetch(self, address: str, folder: Path) -> Path:
        """Downloads a picture."""
        path = folder / _key(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._s3.get_object(Bucket=_BUCKET, Key=_key(address))["Body"].read())
        return path

    def _records(self) -> Iterator[bytes]:
        for shard in self._kinesis.list_shards(StreamName=_STREAM)["Shards"]:
            place = self._kinesis.get_shard_iterator(
                StreamName=_STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while place:
                answer = self._kinesis.get_records(ShardIterator=place, Limit=1000)
                yield from (record["Data"] for record in answer["Records"])
                place = answer.get("NextShardIterator") if answer["Records"] else None


class _LocalAccount(Account):
    """An account with the local cloud's credentials, whatever the environment has."""

    def __init__(self, session: Any, url: str) -> None:
        super().__init__(endpoint_url=url)
        self._made_session = session

    def renew(self) -> None:
        """Keeps the credentials: they never expire."""


class _Put:
    """A camera: a thread that puts a clip into its stream, each fragment when it would have been filmed."""

    def __init__(self, account: Account, written: WrittenClip) -> None:
        self.name, self.fps, self.frames = written.clip.name, written.clip.fps, written.clip.frames
        self.failure: Exception | None = None
        self._clip = recording.read(written.video, fragment_s=_FRAGMENT_SECONDS)
        self._producer = Producer(account, self.name, self._clip.tracks)
        self.start = round(time.time(), 3)
        self._thread = threading.Thread(target=self._run, name=f"put-{self.name}", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether all is put, or nothing more will be."""
        return not self._thread.is_alive()

    def is_analysed(self, camera: CameraReport) -> bool:
        """Whether the worker has come to the last frame, give or take half a frame."""
        last = self.start + (self.frames - 1.5) / self.fps
        return camera.last_frame_time is not None and camera.last_frame_time.timestamp() > last

    def _run(self) -> None:
        try:
            self._producer.put(self._paced())
        except Exception as error:  # told by the thread that watches
            self.failure = error

    def _paced(self) -> Iterator[Outgoing]:
        for complete, fragment in self._clip.outgoing(self.start):
            time.sleep(max(0.0, complete - time.time()))
            yield fragment


def _configuration(folder: Path, clips: list[WrittenClip]) -> dict[str, Any]:
    """The demo's cameras.yaml, with its cameras on Kinesis Video Streams and AWS's sinks."""
    config = configuration(folder, clips)
    for camera in config["cameras"]:
        camera["source"] = {"stream": camera["id"], "start": "earliest"}
        camera["mode"] = "complete"
    config["sinks"] = [
        {"kinesis": _STREAM},
        {"s3": {"bucket": _BUCKET}},
        {"dynamodb": {"table": _TABLE, "create": True}},
    ]
    # Long, as there is no other worker that waits for the cameras, and this machine may be busy.
    config["workers"] = {"leases": {"table": _LEASES, "create": True, "duration": 60}}
    return config


@contextmanager
def _worker(folder: Path, cloud: Cloud) -> Iterator[Callable[[], WorkerReport]]:
    """Runs `inferfleet run` as its user would; yields what asks it for its report. Stops it, and waits for its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "inferfleet", "run", "--config", str(folder / "cameras.yaml"), "--no-table"]
    command += ["--http-host", "127.0.0.1", "--http-port", str(port)]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **cloud.environment()}, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}/status"
            _await_ready(url, process, folder / "worker.log")
            yield lambda: _report(url)
            process.terminate()
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
    if code:
        raise OutsideError(f"the worker ended with {code}; see {folder / 'worker.log'}")


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise OutsideError(
                f"the worker ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}"
            )
        try:
            if _report(url).ready:
                return
        except OSError:
            pass
        time.sleep(_REFRESH_SECONDS)
    raise OutsideError(f"the worker was not ready after {_PATIENCE_SECONDS:.0f} s; see {log}")


def _report(url: str) -> WorkerReport:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return msgspec.json.decode(answer.read(), type=WorkerReport)


def _watch(report: Callable[[], WorkerReport], producers: list[_Put], live: Live) -> None:
    """Waits until all that was put has been analysed and delivered.

    Raises:
        OutsideError: A producer failed, or nothing moves any more.
    """
    before, moved = None, time.monotonic()
    with live(report) as refresh:
        while True:
            time.sleep(_REFRESH_SECONDS)
            refresh()
            failed = next((put for put in producers if put.failure is not None), None)
            if failed is not None:
                raise OutsideError(f"the producer of {failed.name} failed: {failed.failure}")
            now = report()
            backlog = sum(sink.backlog for sink in now.sinks)
            cameras = {camera.id: camera for camera in now.cameras}
            analysed = [put.name in cameras and put.is_analysed(cameras[put.name]) for put in producers]
            if all(put.is_done for put in producers) and all(analysed) and not backlog:
                return
            state = [(camera.id, camera.last_frame_time) for camera in now.cameras], backlog
            if state != before:
                before, moved = state, time.monotonic()
            if time.monotonic() - moved > _PATIENCE_SECONDS:
                raise OutsideError(f"nothing has happened for {_PATIENCE_SECONDS:.0f} s, and not all is analysed")


def _as_in_clip(event: Event, start: float, fps: int) -> Event:
    """The event with the number of its frame in the clip, which its capture time gives."""
    frame = round((datetime.fromisoformat(event.time).timestamp() - start) * fps)
    return msgspec.structs.replace(
        event,
        data=msgspec.structs.replace(event.data, position=msgspec.structs.replace(event.data.position, frame=frame)),
    )


def _key(address: str) -> str:
    """The key of `s3://bucket/key`."""
    return urlsplit(address).path.lstrip("/")

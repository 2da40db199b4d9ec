"""Where it all happens: the local cloud with a proxy before it, cameras that film, and workers as processes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import yaml

from inferfleet.localcloud.cloud import Cloud
from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.put_media import Outgoing, Producer
from inferfleet.streams.kvs.recording import Recording

STREAM, BUCKET, TABLE, LEASES = "chaos-events", "chaos-pictures", "chaos-events", "chaos-leases"
_CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class Services:
    """The services without any trouble between, for preparing and for looking at the end."""

    def __init__(self, cloud: Cloud) -> None:
        session = boto3.Session(region_name=cloud.region, **_CREDENTIALS)
        url = cloud.services["aws"].url
        self.kvs_url = cloud.services["kvs"].url
        self.kinesis: Any = session.client("kinesis", endpoint_url=url)
        self.dynamodb: Any = session.client("dynamodb", endpoint_url=url)
        self.s3: Any = session.client("s3", endpoint_url=url)
        self.video: Any = session.client("kinesisvideo", endpoint_url=self.kvs_url)

    def prepare(self, cameras: list[str]) -> None:
        for camera in cameras:
            self.video.create_stream(StreamName=camera, DataRetentionInHours=1)
        self.kinesis.create_stream(StreamName=STREAM, ShardCount=2)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1})
        self.s3.create_bucket(Bucket=BUCKET)

    def records(self) -> Iterator[dict[str, Any]]:
        """All records of the Kinesis stream, in the order of each shard."""
        for shard in self.kinesis.list_shards(StreamName=STREAM)["Shards"]:
            place = self.kinesis.get_shard_iterator(
                StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while place:
                answer = self.kinesis.get_records(ShardIterator=place, Limit=1000)
                yield from answer["Records"]
                place = answer.get("NextShardIterator") if answer["Records"] else None

    def items(self) -> list[str]:
        """The ids of all events in DynamoDB."""
        try:
            pages = list(self.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="id"))
        except self.dynamodb.exceptions.ResourceNotFoundException:
            return []
        return [item["id"]["S"] for page in pages for item in page["Items"]]

    def video_fault(self, spec: str) -> None:
        """Has Kinesis Video Streams fail."""
        request = urllib.request.Request(f"{self.kvs_url}/_inferfleet/faults", spec.encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def video_faults(self) -> Counter[str]:
        """The faults of Kinesis Video Streams that have happened."""
        with urllib.request.urlopen(f"{self.kvs_url}/_inferfleet/state", timeout=10) as answer:
            return Counter({f"video {kind}": n for kind, n in json.loads(answer.read())["injected"].items()})

    def account(self) -> Account:
        made = Account(endpoint_url=self.kvs_url)
        made._made_session = boto3.Session(region_name=self.kinesis.meta.region_name, **_CREDENTIALS)
        return made


class Camera:
    """A thread that puts the film into its stream, each fragment when it has been filmed."""

    def __init__(self, name: str, account: Account, recording: Recording, start: float) -> None:
        self.name, self.start = name, round(start, 3)
        self.failure: Exception | None = None
        self._recording = recording
        self._producer = Producer(account, name, recording.tracks)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._producer.put(self._paced())
        except Exception as error:
            self.failure = error

    def _paced(self) -> Iterator[Outgoing]:
        for complete, fragment in self._recording.outgoing(self.start):
            time.sleep(max(0.0, complete - time.time()))
            yield fragment


@dataclass
class Crew:
    """The workers: processes that are started again whenever they end, as ECS does."""

    folder: Path
    config: dict[str, Any]
    environment: dict[str, str]
    chance: random.Random
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    paused: dict[int, float] = field(default_factory=dict)
    starts: int = 0
    _began: dict[int, int] = field(default_factory=dict)

    def start(self, number: int) -> None:
        home = self.folder / f"worker-{number}"
        home.mkdir(parents=True, exist_ok=True)
        config = home / "cameras.yaml"
        config.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "inferfleet", "run", "--config", str(config), "--no-table"]
        command += ["--http-host", "127.0.0.1", "--http-port", "0"]
        self.starts += 1
        with self._log(number).open("ab") as log:
            self._began[number] = log.tell()
            self.processes[number] = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def held(self, number: int) -> dict[str, int]:
        """The cameras that a worker has taken and not let go of, each with its fence, by its log."""
        found: dict[str, int] = {}
        for line in self._log(number).read_bytes()[self._began[number] :].splitlines():
            if b'"lease ' not in line or not line.endswith(b"}"):
                continue
            entry = json.loads(line)
            if entry["event"] == "lease taken":
                found[entry["camera"]] = entry["fence"]
            elif entry["event"] in ("lease lost", "lease released"):
                found.pop(entry["camera"], None)
        return found

    def kill(self, number: int) -> str:
        """Kills a worker; now and then its disk is lost with it."""
        self.processes[number].kill()
        self.processes[number].wait()
        if self.chance.random() < 0.5:
            shutil.rmtree(self.folder / f"worker-{number}", ignore_errors=True)
            return "worker killed, disk lost"
        return "worker killed"

    def pause(self, number: int, seconds: float) -> None:
        """Stops a worker's process for a while, so that it loses its leases without noticing."""
        self.processes[number].send_signal(signal.SIGSTOP)
        self.paused[number] = time.monotonic() + seconds

    def tend(self) -> None:
        """Wakes those whose pause is over and starts those that have ended."""
        for number, until in list(self.paused.items()):
            if time.monotonic() >= until:
                del self.paused[number]
                self.processes[number].send_signal(signal.SIGCONT)
        for number, process in list(self.processes.items()):
            if process.poll() is not None:
                self.start(number)

    def able(self) -> list[int]:
        """Those that are at work, so that being struck hurts: they have taken a camera since they were started."""
        return [number for number in self.processes if number not in self.paused and self._has_worked(number)]

    def _has_worked(self, number: int) -> bool:
        return b'"lease taken"' in self._log(number).read_bytes()[self._began[number] :]

    def _log(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"

    def end(self) -> list[int]:
        """Stops all, politely; returns their exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        codes = []
        for process in self.processes.values():
            try:
                codes.append(process.wait(60))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
        return codes

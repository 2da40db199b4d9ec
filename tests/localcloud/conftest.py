"""A running Kinesis Video Streams, its clients, and something to put into it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from inferfleet.localcloud.kvs.limits import Limits
from inferfleet.localcloud.kvs.server import KvsServer
from inferfleet.streams.kvs import recording
from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.put_media import Producer, Sent
from inferfleet.streams.kvs.recording import Recording

DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of nobody, and no configuration of the user's own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


class Kvs:
    """The emulator and what tests do with it."""

    def __init__(self, server: KvsServer) -> None:
        self.url = server.url
        self.emulator = server.emulator
        self.account = Account(endpoint_url=server.url)
        self.control = boto3.client("kinesisvideo", endpoint_url=server.url)

    def create(self, stream: str = "gate", hours: int = 1) -> None:
        self.control.create_stream(StreamName=stream, DataRetentionInHours=hours)

    def client(self, service: str, api: str, stream: str = "gate") -> Any:
        """A boto3 client of a data endpoint, which does not try again by itself."""
        from botocore.config import Config

        url = self.control.get_data_endpoint(StreamName=stream, APIName=api)["DataEndpoint"]
        return boto3.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))

    def fault(self, spec: str) -> None:
        request = urllib.request.Request(f"{self.url}/_inferfleet/faults", spec.encode(), method="POST")
        urllib.request.urlopen(request).read()

    def state(self) -> dict[str, Any]:
        return json.loads(urllib.request.urlopen(f"{self.url}/_inferfleet/state").read())

    def wait(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Waits until the emulator's state is as wanted."""
        until = time.monotonic() + DEADLINE_S
        while not condition(self.state()):
            assert time.monotonic() < until, self.state()
            time.sleep(0.02)

    def put(self, clip: Recording, stream: str = "gate", start: float | None = None, **options: Any) -> Sent:
        """Puts a clip as fast as it goes."""
        producer = Producer(self.account, stream, clip.tracks, **options)
        begin = time.time() - clip.duration / 1e9 if start is None else start
        return producer.put(fragment for _, fragment in clip.outgoing(begin))


@pytest.fixture
def kvs() -> Iterator[Kvs]:
    """A running emulator with AWS's limits, except that idle bodies end sooner."""
    with KvsServer(limits=Limits(idle_s=0.3)) as server:
        yield Kvs(server)


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of moving picture with a key frame each second, H.264 in MP4."""
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=10, options={"g": "10", "preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        for n in range(60):
            picture = np.full((96, 160, 3), 4 * n, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(video.encode(None))
    return path


@pytest.fixture(scope="session")
def clip(clip_path: Path) -> Recording:
    """The clip as six fragments of a second and ten frames."""
    return recording.read(clip_path, fragment_s=1.0)

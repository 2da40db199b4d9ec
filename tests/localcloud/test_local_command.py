"""`inferfleet local` and `inferfleet kvs`, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import boto3
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a command of ours with a local cloud of its own, which is stopped at the end."""
    environment = {**os.environ, "INFERFLEET_LOCAL_DIR": str(tmp_path / "cloud")}

    def command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from inferfleet.cli.main import main; main()"]
        return subprocess.run(
            [*program, *arguments],
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield command
    command("local", "down")


def started(run: Run, *options: str) -> dict[str, str]:
    done = run("local", "up", "--port", "0", "--kvs-port", "0", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(run("local", "env", "--json").stdout)


def test_what_was_put_is_listed_and_got(run, clip_path, tmp_path):
    variables = started(run, "--only-kvs", "--fault", "cut:call=GetMedia,after=2f")
    put = run("kvs", "put", str(clip_path), "--stream", "gate", "--create", "--fragment", "1", **variables)
    assert put.returncode == 0, put.stderr
    assert "6 fragments persisted" in put.stderr
    listed = [json.loads(line) for line in run("kvs", "ls", "--json", **variables).stdout.splitlines()]
    assert [stream["StreamName"] for stream in listed] == ["gate"]
    target = tmp_path / "got.mkv"
    got = run("kvs", "get", "-s", "gate", "--start", "earliest", "--fragments", "6", "-o", str(target), **variables)
    assert got.returncode == 0, got.stderr
    with av.open(str(target)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 60
    status = json.loads(run("local", "status", "--json").stdout)
    assert status["kvs"]["streams"]["gate"]["fragments"] == 6
    assert status["kvs"]["injected"] == {"cut": 1}


def test_nothing_running_and_wrong_options_are_told(run, clip_path):
    for words in (["local", "status"], ["local", "env"]):
        done = run(*words)
        assert done.returncode == 1
        assert "inferfleet local up" in done.stderr
    assert run("local", "down").returncode == 0
    wrong = run("local", "up", "--only-kvs", "--kvs-port", "0", "--fault", "explode:after=3s")
    assert wrong.returncode == 1
    assert "there is no 'explode'; there are: cut," in wrong.stderr
    loop = run("kvs", "put", str(clip_path), "--stream", "gate", "--loop")
    assert loop.returncode == 1
    assert "--loop needs --realtime" in loop.stderr


def test_the_whole_cloud_comes_up_serves_boto3_and_goes(run, monkeypatch):
    pytest.importorskip("ministack", reason="MiniStack is not installed (the `local` extra)")
    for name, value in started(run).items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="snapshots")
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    boto3.client("kinesisvideo").create_stream(StreamName="gate")
    again = run("local", "up")
    assert "already running" in again.stderr
    assert [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]] == ["snapshots"]
    assert boto3.client("kinesis").list_streams()["StreamNames"] == ["events"]
    pages = boto3.client("kinesisvideo").list_streams()["StreamInfoList"]
    assert [stream["StreamName"] for stream in pages] == ["gate"]
    services = json.loads(run("local", "status", "--json").stdout)["services"]
    assert all(service["healthy"] for service in services.values())
    assert "stopped" in run("local", "down").stderr
    assert run("local", "status").returncode == 1

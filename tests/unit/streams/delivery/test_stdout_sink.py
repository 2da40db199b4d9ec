from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inferfleet.streams.delivery.sinks.base import SinkEnded, SinkError
from inferfleet.streams.delivery.sinks.stdout import StdoutSink
from inferfleet.streams.event import decode
from tests.unit.streams.delivery.support import make_item

REPOSITORY = Path(__file__).parents[4]


def test_events_are_lines_of_json() -> None:
    receiving, sending = os.pipe()
    sink = StdoutSink("stdout", sending)
    sink.open()
    sink.deliver([make_item("gate", 1), make_item("gate", 2)])
    sink.close()
    os.close(sending)
    with os.fdopen(receiving, "rb") as file:
        assert [decode(line).data.position.frame for line in file] == [1, 2]


def test_a_reader_that_has_gone_ends_the_sink() -> None:
    receiving, sending = os.pipe()
    sink = StdoutSink("stdout", sending)
    sink.open()
    os.close(receiving)
    with pytest.raises(SinkEnded, match="has gone"):
        sink.deliver([make_item("gate", 1)])
    os.close(sending)


def test_a_closed_standard_output_is_told_at_the_start() -> None:
    receiving, sending = os.pipe()
    os.close(receiving)
    os.close(sending)
    with pytest.raises(SinkError, match="standard output is closed"):
        StdoutSink("stdout", sending).open()


def test_a_worker_of_which_the_reader_has_had_enough_is_told_once(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    script = """
import sys
from pathlib import Path
import structlog
from inferfleet.streams.delivery import Delivery, Spool
from inferfleet.streams.delivery.sinks.stdout import StdoutSink
from tests.unit.streams.delivery.support import eventually, make_checkpoint, make_item
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
ended = []
with Spool.open(Path(sys.argv[1]), ["stdout"]) as spool:
    delivery = Delivery(spool, [StdoutSink("stdout")], on_ended=ended.append)
    delivery.start()
    frame = 0
    while not ended:
        spool.append([make_item("gate", frame)], make_checkpoint("gate", frame))
        frame += 1
    remaining = delivery.stop(5)
print(ended, remaining > 0, file=sys.stderr)
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    request.addfinalizer(worker.kill)
    assert worker.stdout is not None and worker.stderr is not None
    lines = [worker.stdout.readline() for _ in range(3)]
    worker.stdout.close()
    assert [decode(line).data.position.frame for line in lines] == [0, 1, 2]
    told = worker.stderr.read().decode().splitlines()
    assert worker.wait() == 0
    assert told[-1] == "['stdout'] True"
    assert sum("sink has ended" in line for line in told) == 1

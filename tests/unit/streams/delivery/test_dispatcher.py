from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from inferfleet.streams.delivery import Delivery, Item, SinkStatus, Spool
from inferfleet.streams.delivery.sinks.base import Failure, SinkEnded, SinkError, SinkUnavailable
from tests.unit.streams.delivery.support import MemorySink, eventually, make_checkpoint, make_item, numbers


class Works:
    """A spool with two sinks at work."""

    def __init__(self, folder: Path) -> None:
        self.a = MemorySink("a")
        self.b = MemorySink("b")
        self.spool = Spool.open(folder, ["a", "b"])
        self.ended: list[str] = []
        self.delivery = Delivery(self.spool, [self.a, self.b], on_ended=self.ended.append)

    def put(self, camera: str, *frames: int) -> None:
        self.spool.append([make_item(camera, frame) for frame in frames], make_checkpoint(camera, max(frames)))

    def status(self, name: str) -> SinkStatus:
        return next(status for status in self.delivery.status() if status.name == name)


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path)
    yield made
    made.delivery.stop(0)
    made.spool.close()


def refuse(_: Sequence[Item]) -> Sequence[Failure]:
    raise ConnectionError("nobody there")


def test_every_sink_gets_every_event_in_order(works: Works) -> None:
    works.put("gate", 1, 2)
    works.delivery.start()
    works.put("gate", 3)
    assert works.delivery.stop(20) == 0
    assert numbers(works.a.items) == numbers(works.b.items) == [1, 2, 3]
    assert works.status("a").delivered == 3
    assert works.status("a").state == "stopped"
    assert not works.a.is_open
    assert works.spool.size_bytes == 0


def test_a_dead_sink_delays_no_other(works: Works) -> None:
    works.b.trouble = refuse
    works.delivery.start()
    for frame in range(200):
        works.put("gate", frame)
    eventually(lambda: len(works.a.items) == 200, "the other sink has everything")
    eventually(lambda: works.status("b").state == "failing", "the dead one is known")
    dead = works.status("b")
    assert (dead.delivered, dead.backlog) == (0, 200)
    assert dead.last_error == "nobody there"
    assert dead.failures > 0
    assert dead.oldest_seconds > 0
    eventually(lambda: works.status("a").backlog == 0, "its acknowledgement is durable")
    works.b.trouble = lambda batch: ()
    assert works.delivery.stop(20) == 0
    assert numbers(works.b.items) == list(range(200))


def test_a_sink_that_hangs_does_not_keep_the_worker_from_stopping(works: Works) -> None:
    release = threading.Event()

    def hang(_: Sequence[Item]) -> Sequence[Failure]:
        release.wait()
        return ()

    works.b.trouble = hang
    works.delivery.start()
    works.put("gate", 1)
    eventually(lambda: len(works.a.items) == 1, "the other sink has it")
    assert works.delivery.stop(0) == 1
    release.set()


def test_what_could_not_be_delivered_waits_for_the_next_run(tmp_path: Path) -> None:
    first = Works(tmp_path)
    first.b.trouble = refuse
    first.delivery.start()
    first.put("gate", 1, 2, 3)
    assert first.delivery.stop(0.1) == 3
    first.spool.close()
    second = Works(tmp_path)
    second.delivery.start()
    assert second.delivery.stop(20) == 0
    second.spool.close()
    assert numbers(first.a.items) == [1, 2, 3]
    assert second.a.items == []
    assert numbers(second.b.items) == [1, 2, 3]


def test_only_what_failed_is_tried_again_and_cameras_keep_their_order(works: Works) -> None:
    lame = {"gate": 3}

    def some_fail(batch: Sequence[Item]) -> Sequence[Failure]:
        if lame["gate"] == 0:
            return ()
        lame["gate"] -= 1
        return [Failure(item.event.id, "shard busy") for item in batch if item.event.subject == "gate"]

    works.a.trouble = some_fail
    works.put("gate", 1, 2)
    works.put("yard", 3)
    works.put("gate", 4)
    works.delivery.start()
    works.put("yard", 5)
    assert works.delivery.stop(20) == 0
    assert sorted(numbers(works.a.items)) == [1, 2, 3, 4, 5], "each once"
    assert [n for n in numbers(works.a.items) if n in (1, 2, 4)] == [1, 2, 4]
    assert [n for n in numbers(works.a.items) if n in (3, 5)] == [3, 5]
    assert "shard busy" in (works.status("a").last_error or "")


def test_the_cursor_stays_before_an_event_that_fails(tmp_path: Path) -> None:
    first = Works(tmp_path)
    first.a.trouble = lambda batch: [Failure(i.event.id, "no") for i in batch if i.event.subject == "gate"]
    first.put("yard", 1)
    first.put("gate", 2)
    first.put("yard", 3)
    first.delivery.start()
    eventually(lambda: numbers(first.a.items) == [1, 3], "the others got through")
    assert first.delivery.stop(0) > 0
    first.spool.close()
    second = Works(tmp_path)
    second.delivery.start()
    assert second.delivery.stop(20) == 0
    second.spool.close()
    assert numbers(second.a.items) == [2, 3], "from the failed one on, also what got through before"


def test_an_event_that_can_never_be_delivered_is_kept_aside_and_blocks_nothing(works: Works) -> None:
    bad = make_item("gate", 2)
    works.a.trouble = lambda batch: [Failure(i.event.id, "too large", permanent=True) for i in batch if i == bad]
    works.put("gate", 1, 2, 3)
    works.delivery.start()
    assert works.delivery.stop(20) == 0
    assert numbers(works.a.items) == [1, 3]
    assert works.status("a").rejected == 1
    (line,) = (works.spool.folder / "rejected-a.jsonl").read_bytes().splitlines()
    kept = msgspec.json.decode(line)
    assert kept["reason"] == "too large"
    assert kept["event"]["id"] == bad.event.id


def test_a_target_that_cannot_be_used_ends_the_start(works: Works) -> None:
    def missing() -> None:
        raise SinkError("there is no stream `events`; missing permission: kinesis:PutRecords")

    works.b.open_trouble = missing
    with pytest.raises(SinkError, match="kinesis:PutRecords"):
        works.delivery.start()
    assert not works.a.is_open


def test_a_target_that_does_not_answer_at_the_start_is_tried_again(works: Works) -> None:
    attempts: list[int] = []

    def asleep() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise SinkUnavailable("no answer")

    works.b.open_trouble = asleep
    works.delivery.start()
    works.put("gate", 1)
    eventually(lambda: works.delivery.is_open, "it is open in the end")
    eventually(lambda: numbers(works.b.items) == [1], "it gets its event")
    assert numbers(works.a.items) == [1]


def test_a_target_that_has_gone_for_good_ends_its_sink_alone(works: Works) -> None:
    def gone(_: Sequence[Item]) -> Sequence[Failure]:
        raise SinkEnded("the pipe is closed")

    works.b.trouble = gone
    works.delivery.start()
    works.put("gate", 1)
    eventually(lambda: works.ended == ["b"], "it is told")
    works.put("gate", 2)
    eventually(lambda: numbers(works.a.items) == [1, 2], "the other goes on")
    eventually(lambda: works.status("b").state == "ended", "its state says so")
    assert works.delivery.stop(20) == 2, "what it lacks stays"
    assert works.status("b").state == "ended"


def test_a_sink_that_breaks_in_an_unforeseen_way_is_tried_again(works: Works) -> None:
    calls: list[int] = []

    def bug(_: Sequence[Item]) -> Sequence[Failure]:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("bug")
        return ()

    works.a.trouble = bug
    works.put("gate", 1)
    works.delivery.start()
    assert works.delivery.stop(20) == 0
    assert numbers(works.a.items) == [1]


def test_large_backlogs_come_in_bounded_batches(tmp_path: Path) -> None:
    sizes: list[int] = []
    sink = MemorySink("a", batch_size=7)

    def note(batch: Sequence[Item]) -> Sequence[Failure]:
        sizes.append(len(batch))
        return ()

    sink.trouble = note
    with Spool.open(tmp_path, ["a"]) as spool:
        spool.append([make_item("gate", frame) for frame in range(50)], make_checkpoint("gate", 50))
        delivery = Delivery(spool, [sink])
        delivery.start()
        assert delivery.stop(20) == 0
    assert max(sizes) == 7
    assert numbers(sink.items) == list(range(50))


def test_sinks_that_the_spool_does_not_know_are_a_mistake(spool: Spool) -> None:
    with pytest.raises(ValueError, match="opened for the sinks"):
        Delivery(spool, [MemorySink("c")])

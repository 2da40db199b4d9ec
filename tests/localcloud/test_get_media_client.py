"""The GetMedia client against the emulator's faults: what was put comes out once, in order, whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from inferfleet.streams.kvs import errors
from inferfleet.streams.kvs.client import MediaClient, Options
from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.selector import Start

QUICK = Options(stall_s=1.0, idle_pause_s=0.05, first_pause_s=0.05)
DEADLINE_S = 60.0


class Reading:
    """A client in a thread of its own, and what it has read."""

    def __init__(self, client: MediaClient, start: Start) -> None:
        self.client = client
        self.fragments: list[Fragment] = []
        self.error: errors.KvsError | None = None
        self._start = start
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for fragment in self.client.fragments(self._start):
                with self._grown:
                    self.fragments.append(fragment)
                    self._grown.notify_all()
        except errors.KvsError as error:
            self.error = error
        with self._grown:
            self._grown.notify_all()

    def wait(self, condition: Callable[[Reading], bool]) -> None:
        with self._grown:
            assert self._grown.wait_for(lambda: condition(self), DEADLINE_S), (
                len(self.fragments),
                self.client.progress,
            )

    def until(self, condition: Callable[[Reading], bool]) -> None:
        """Waits for what no fragment announces."""
        end = time.monotonic() + DEADLINE_S
        while not condition(self):
            assert time.monotonic() < end, self.client.progress
            time.sleep(0.02)

    def stop(self) -> None:
        self.client.interrupt()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    @property
    def times(self) -> list[float]:
        return [round(fragment.producer_time or 0, 3) for fragment in self.fragments]


@pytest.fixture
def read(kvs) -> Iterator[Callable[..., Reading]]:
    """Begins to read: `read(start, options)`."""
    begun: list[Reading] = []

    def begin(start: Start, options: Options = QUICK, stream: str = "gate") -> Reading:
        begun.append(Reading(MediaClient(kvs.account, stream, options), start))
        return begun[-1]

    yield begin
    for reading in begun:
        reading.stop()


ALL = [1_700_000_000.0 + n for n in range(6)]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("cut:call=GetMedia,after=1KB,times=3", "ConnectionBrokenError"),
        ("cut:call=GetMedia,after=2f,times=2", "ConnectionBrokenError"),
        ("end:call=GetMedia,after=1f,times=4", None),
        ("end:call=GetMedia,after=2KB", None),
        ("stall:call=GetMedia,after=2f", "StalledError"),
        ("error:call=GetMedia,id=5000,after=2f", "ServiceInternalError"),
        ("error:call=GetMedia,id=3002,after=1f", "StreamWriteError"),
        ("error:call=GetMedia,id=4000,after=3f", "FragmentGoneError"),
        ("truncate:call=GetMedia,after=2f", "DamageError"),
        ("throttle:call=GetMedia,times=3", "ThrottledError"),
        ("throttle:call=GetDataEndpoint", None),
        ("busy:call=GetMedia,times=2", "TooManyConnectionsError"),
        ("expired-endpoint:call=GetMedia", "EndpointExpiredError"),
        ("expired-token:call=GetMedia", "ExpiredTokenError"),
        ("broken:call=GetMedia,times=2", "ServiceUnavailableError"),
        ("slow:call=GetMedia,rate=20KB", None),
    ],
)
def test_no_fault_makes_a_gap_or_a_repeat(kvs, clip, read, fault, told):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    kvs.fault(fault)
    reading = read(Start.earliest())
    reading.wait(lambda r: len(r.fragments) == 6)
    assert reading.times == ALL
    assert all(len(fragment.frames) == 10 for fragment in reading.fragments)
    assert sum(kvs.state()["injected"].values()) >= 1
    if told:
        assert reading.client.progress.failures.get(told, 0) >= 1
    assert reading.client.progress.error is None


def test_a_producer_that_pauses_is_waited_for_and_nothing_is_missed(kvs, clip, read):
    kvs.create()
    reading = read(Start.now())
    # The service ends an idle body after a while; a few such ends pass before the producer comes.
    reading.until(lambda r: r.client.progress.reconnects >= 2)
    kvs.put(clip, start=ALL[0])
    reading.wait(lambda r: len(r.fragments) == 6)
    reading.until(lambda r: r.client.progress.reconnects >= 4)
    kvs.put(clip, start=ALL[0] + 6)
    reading.wait(lambda r: len(r.fragments) == 12)
    assert reading.times == [ALL[0] + n for n in range(12)]
    assert not reading.client.progress.failures


def test_reading_resumes_after_the_last_processed_fragment(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    first = read(Start.earliest())
    first.wait(lambda r: len(r.fragments) >= 3)
    first.stop()
    third = first.fragments[2].number
    again = read(Start.after(third))
    again.wait(lambda r: len(r.fragments) == 3)
    assert again.times == ALL[3:]


def test_reading_begins_at_a_time(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    reading = read(Start.at(ALL[0] + 2.5, by_producer=True))
    reading.wait(lambda r: len(r.fragments) == 4)
    assert reading.times == ALL[2:]


def test_what_retention_has_removed_is_counted_and_passed_over(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    numbers = [stored.number for stored in kvs.emulator.store.streams["gate"].fragments]
    kvs.fault("error:call=GetMedia,id=4000")
    reading = read(Start.after(numbers[0]))
    reading.wait(lambda r: len(r.fragments) == 5)
    assert reading.times == ALL[1:]
    assert reading.client.progress.lost == 1


def test_a_fragment_that_stays_damaged_is_left_out_and_counted(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    stream = kvs.emulator.store.streams["gate"]
    bad = stream.fragments[2]
    kept = {name: getattr(bad, name) for name in bad.__slots__}
    stream.fragments[2] = type(bad)(**kept | {"cluster": bad.cluster[: len(bad.cluster) // 2]})
    reading = read(Start.earliest())
    reading.wait(lambda r: len(r.fragments) == 5)
    assert reading.times == ALL[:2] + ALL[3:]
    assert reading.client.progress.lost == 1
    assert reading.client.progress.failures["DamageError"] == 3


def test_a_live_camera_that_is_too_far_behind_jumps_to_now(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    stream = kvs.emulator.store.streams["gate"]
    for index, stored in enumerate(stream.fragments):
        kept = {name: getattr(stored, name) for name in stored.__slots__}
        stream.fragments[index] = type(stored)(**kept | {"server_time": stored.server_time - 60 + 10 * index})
    reading = read(Start.earliest(), Options(idle_pause_s=0.05, max_lag_s=5.0))
    reading.until(lambda r: r.client.progress.jumps == 1)
    reading.until(lambda r: r.client.progress.connected)
    kvs.put(clip, start=ALL[0] + 100)
    reading.wait(lambda r: len(r.fragments) >= 7)
    assert reading.times[0] == ALL[0]
    assert reading.times[-6:] == [ALL[0] + 100 + n for n in range(6)]
    assert reading.times.count(ALL[1]) == 0


def test_a_complete_camera_that_is_behind_catches_up_and_says_how_far(kvs, clip, read):
    kvs.create()
    kvs.put(clip, start=ALL[0])
    stream = kvs.emulator.store.streams["gate"]
    for index, stored in enumerate(stream.fragments[:-1]):
        kept = {name: getattr(stored, name) for name in stored.__slots__}
        stream.fragments[index] = type(stored)(**kept | {"server_time": stored.server_time - 60})
    kvs.fault("stall:call=GetMedia,after=2f")
    reading = read(Start.earliest())
    reading.wait(lambda r: len(r.fragments) == 2)
    reading.until(lambda r: (r.client.progress.behind_s or 0) > 50)
    reading.wait(lambda r: len(r.fragments) == 6)
    reading.until(lambda r: r.client.progress.behind_s == 0)


def test_many_streams_are_read_in_one_process(kvs, clip, read):
    names = [f"gate-{n}" for n in range(4)]
    for name in names:
        kvs.create(name)
        kvs.put(clip, name, start=ALL[0])
    kvs.fault("cut:stream=gate-1,call=GetMedia,after=1f,times=2")
    readings = [read(Start.earliest(), QUICK, name) for name in names]
    for reading in readings:
        reading.wait(lambda r: len(r.fragments) == 6)
        assert reading.times == ALL


@pytest.mark.parametrize("stream", ["nowhere"])
def test_a_missing_stream_is_told_at_once(kvs, read, stream):
    reading = read(Start.now(), QUICK, stream)
    reading.until(lambda r: r.error is not None)
    assert isinstance(reading.error, errors.StreamNotFoundError)
    assert stream in str(reading.error)


def test_missing_credentials_are_told_with_the_way_out(kvs, read, monkeypatch):
    kvs.create()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    reading = read(Start.now())
    reading.until(lambda r: r.error is not None)
    assert isinstance(reading.error, errors.NoCredentialsError)


def test_an_interrupted_client_stops_while_it_waits(kvs, read):
    kvs.create()
    kvs.emulator.store.streams["gate"].writers = 1
    reading = read(Start.now(), Options(stall_s=600))
    reading.until(lambda r: r.client.progress.connected)
    reading.stop()
    assert reading.error is None


def test_the_endpoint_is_asked_for_once_and_again_when_it_is_old(kvs):
    from inferfleet.streams.kvs.account import ENDPOINT_AGE_S, Account

    kvs.create()
    now = [0.0]
    account = Account(endpoint_url=kvs.url, clock=lambda: now[0])
    first = account.endpoint("gate", "GET_MEDIA")
    assert account.endpoint("gate", "GET_MEDIA") == first
    now[0] = ENDPOINT_AGE_S + 1
    assert account.endpoint("gate", "GET_MEDIA") != first
    account.forget_endpoint("gate", "GET_MEDIA")
    assert account.endpoint("gate", "PUT_MEDIA") != account.endpoint("gate", "GET_MEDIA")

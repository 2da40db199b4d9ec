"""The `kvs` source: a camera on Kinesis Video Streams as frames with capture time, place and fragment number."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from inferfleet.config.sources import KvsSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame, Position
from inferfleet.streams.kvs.account import shared_account
from inferfleet.streams.kvs.client import MediaClient, Options
from inferfleet.streams.kvs.decoding import FragmentDecoder, Picture, Place
from inferfleet.streams.kvs.errors import KvsError
from inferfleet.streams.kvs.fragments import Clock, Fragment
from inferfleet.streams.kvs.hls import HlsClient
from inferfleet.streams.kvs.progress import Progress
from inferfleet.streams.kvs.selector import Start
from inferfleet.streams.picture import Scaler, VideoPicture
from inferfleet.streams.sources.base import SourceError

_LONGEST_S = 20.0
"""The longest fragment that the service takes (PutMedia quotas)."""


class KvsReader:
    """Reads one stream until it is interrupted. It connects again by itself; only what lasts is raised."""

    def __init__(
        self,
        camera: str,
        config: KvsSource,
        *,
        is_complete: bool = False,
        fps_target: float | None = None,
        threads: int = 1,
    ) -> None:
        """Prepares the source; nothing is called before `frames`.

        Args:
            camera: The camera's id.
            config: Its `source`.
            is_complete: Every frame counts: it never jumps to now, however far behind it is.
            fps_target: Frames a second of capture time; None takes all.
            threads: For the decoder; 0 takes as many as there are cores.
        """
        self._camera = camera
        self._config = config
        self._what = f"camera {camera!r}"
        options = Options(
            stall_s=config.timeout,
            max_lag_s=None if is_complete else config.max_lag,
            max_skew_s=config.max_clock_skew,
        )
        account = shared_account(config.region, config.endpoint_url)
        client = HlsClient if config.via == "hls" else MediaClient
        self._client = client(account, config.stream, options)
        self._decoder = FragmentDecoder(fps_target=fps_target, threads=threads, is_live=not is_complete)
        self._scaler = Scaler()
        self._skipped = 0
        self._last_number = -1
        self._clock: Clock | None = None
        self._log = structlog.get_logger().bind(camera=camera, stream=config.stream)

    @property
    def is_live(self) -> bool:
        """A stream never ends by itself."""
        return True

    @property
    def skipped(self) -> int:
        """Frames not delivered so far, because `fps_target` wants fewer or because they were damaged."""
        return self._skipped

    @property
    def behind(self) -> float | None:
        """How far the last fragment was behind the newest of its stream, in seconds."""
        return self._client.progress.behind_s

    @property
    def trouble(self) -> str | None:
        """What has kept it from reading since the last fragment; None when nothing has."""
        return self._client.progress.error

    @property
    def retries(self) -> int:
        """How often something went wrong and it connected again."""
        return sum(self._client.progress.failures.values())

    @property
    def lost(self) -> int:
        """Fragments given up because they stayed damaged, or gone because retention removed them."""
        return self._client.progress.lost

    @property
    def jumps(self) -> int:
        """How often a live camera was too far behind and jumped to now."""
        return self._client.progress.jumps

    @property
    def progress(self) -> Progress:
        """What is known of the reading."""
        return self._client.progress

    def interrupt(self) -> None:
        """Ends `frames` soon, whatever it waits for."""
        self._client.interrupt()

    def frames(self, resume: str | None) -> Iterator[Frame]:
        """Yields the stream's frames; see `Source`."""
        done = self._parse(resume)
        start = self._start() if done is None else _again(done)
        try:
            for fragment in self._client.arrivals(start):
                for picture in self._pictures(fragment, done):
                    if done is None or picture.place.is_behind(done):
                        yield self._frame(picture)
                    self._last_number = picture.number
        except KvsError as error:
            raise SourceError(f"{self._what}: {error}") from error

    def _pictures(self, fragment: Fragment | None, done: Place | None) -> Iterator[Picture]:
        """The pictures that a fragment brings about; with None, those that were waiting for the next one."""
        if fragment is None:
            return self._decoder.pause()
        if done is not None and fragment.number.isdigit() and int(fragment.number) < int(done.fragment):
            self._decoder.precede(fragment)
            return iter(())
        self._note_clock(fragment)
        return self._decoder.push(fragment)

    def _note_clock(self, fragment: Fragment) -> None:
        """Says whose clock the frames are stamped with, whenever that changes."""
        if fragment.clock is not self._clock:
            log = self._log.info if fragment.clock is Clock.PRODUCER else self._log.warning
            times = {"producer_time": fragment.producer_time, "server_time": fragment.server_time}
            log("frames are stamped with the clock of the " + fragment.clock, fragment=fragment.number, **times)
            self._clock = fragment.clock

    def _parse(self, resume: str | None) -> Place | None:
        try:
            return None if resume is None else Place.parse(resume)
        except ValueError as error:
            raise InputError(f"{self._what}: its checkpoint {error}; delete it to begin anew") from error

    def _start(self) -> Start:
        match self._config.start:
            case "now":
                return Start.now()
            case "earliest":
                return Start.earliest()
            case time:
                aware = time if time.tzinfo else time.replace(tzinfo=UTC)
                return Start.at(aware.timestamp(), by_producer=True)

    def _frame(self, picture: Picture) -> Frame:
        self._skipped += max(0, picture.number - self._last_number - 1)
        return Frame(
            camera=self._camera,
            time=datetime.fromtimestamp(round(picture.time, 3), UTC),
            position=Position(
                token=picture.place.token(),
                frame=picture.number,
                pts=picture.timecode,
                fragment=picture.place.fragment,
            ),
            picture=VideoPicture(picture.picture, self._scaler),
            received=time.monotonic(),
        )


def _again(done: Place) -> Start:
    """Begins with the fragment that holds the last processed frame, or the one before it where that is needed.

    By time, as the number before it is not known; a second early, or as long as a fragment can be, and what is too
    early is passed over by its number.
    """
    before = "" if done.is_leading else str(int(done.fragment) - 1)
    if not done.begin_ms:
        return Start.earliest(before)
    early = 1.0 + (_LONGEST_S if done.is_leading else 0.0)
    return Start.at(done.begin_ms / 1000 - early, by_producer=done.is_by_producer, after=before)

"""One camera's thread: it opens the source, moves frames into the mailbox, and tries again when the source breaks.

Everything that can go wrong with a camera ends here: the others' threads never see it. What happened is told by
`CameraStatus`, which any thread may read at any time.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from inferfleet.config.cameras import Camera
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame
from inferfleet.streams.mailbox import Mailbox
from inferfleet.streams.sources import factory
from inferfleet.streams.sources.base import SelfHealing, Source, SourceError, StalledError

CameraState = Literal["starting", "running", "reconnecting", "stalled", "ended", "failed", "stopped"]
_RATE_FRAMES = 64
_JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What is known of a camera at one moment.

    Attributes:
        camera: The camera's id.
        state: `starting` until its first frame; `running` while frames come; `reconnecting` from a failure to the next
            frame, or `stalled` when the failure was that it sent nothing; `ended` after the last frame of a finite
            source; `failed` when trying again cannot help (a wrong configuration); `stopped` after `stop`.
        error: What went wrong last; None when nothing has since the last frame.
        frames: How many frames reached the mailbox.
        skipped: How many frames were not delivered, because `fps_target` wants fewer or because they were damaged.
        last_frame_time: Capture time of the last frame.
        last_received: When the last frame was decoded, in seconds of `time.monotonic()`.
        reconnects: How often the source had to be opened again.
        fps: Frames a second, over the last 64 frames.
        behind: How far the source is behind the newest that it could give, in seconds; None where it cannot tell.
        lost: Parts (fragments) of the source that could not be had.
        jumps: How often the source was too far behind and went on with the newest.
    """

    camera: str
    state: CameraState = "starting"
    error: str | None = None
    frames: int = 0
    skipped: int = 0
    last_frame_time: datetime | None = None
    last_received: float | None = None
    reconnects: int = 0
    fps: float = 0.0
    behind: float | None = None
    lost: int = 0
    jumps: int = 0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try: exponential with full jitter, so that cameras do not come back in step.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    Attributes:
        first: Upper bound of the first pause, in seconds; it doubles with each failure.
        most: Upper bound of any pause, in seconds.
        random: Gives numbers from 0 to 1.
    """

    first: float = 1.0
    most: float = 60.0
    random: Callable[[], float] = field(default=random.random)

    def bound(self, failures: int) -> float:
        """The longest pause, in seconds, after so many failures in a row (from 1)."""
        return min(self.most, self.first * 2.0 ** min(failures - 1, 30))

    def pause(self, failures: int) -> float:
        """The pause in seconds after so many failures in a row (from 1)."""
        return self.random() * self.bound(failures)


class CameraReader:
    """Reads one camera in a thread of its own until it ends, fails for good, or is stopped."""

    def __init__(
        self,
        camera: Camera,
        mailbox: Mailbox,
        *,
        base: Path = Path(),
        decoder_threads: int = 1,
        open_source: Callable[[], Source] | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[CameraStatus], None] | None = None,
    ) -> None:
        """Prepares the camera; `start` begins to read.

        Args:
            camera: Its configuration.
            mailbox: Where the frames go. `stop` closes it.
            base: The folder that relative paths of the configuration start from.
            decoder_threads: Threads for its decoder; 0 lets FFmpeg take as many as there are cores.
            open_source: Makes a new source for every try; of the configuration's kind when left out.
            backoff: The pauses between tries.
            clock: Seconds, as `time.monotonic` gives them.
            on_change: Called in the camera's thread whenever the state has changed.
        """
        self._camera = camera.id
        self._open_source = open_source or partial(factory.open_source, camera, base, decoder_threads)
        self._mailbox = mailbox
        self._resume: str | None = None
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._on_change = on_change
        self._log = structlog.get_logger().bind(camera=camera.id)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)
        self._source: Source | None = None
        self._state: CameraState = "starting"
        self._error: str | None = None
        self._frames = 0
        self._skipped = 0
        self._reconnects = self._lost = self._jumps = 0
        self._last: Frame | None = None
        self._arrivals: deque[float] = deque(maxlen=_RATE_FRAMES)

    def start(self, resume: str | None = None) -> None:
        """Begins to read, after the frame whose token is `resume`, or at the beginning."""
        self._resume = resume
        self._thread.start()

    def stop(self, timeout: float = _JOIN_SECONDS) -> bool:
        """Stops reading, also while the source waits for data. What waits in the mailbox can still be taken.

        Returns:
            Whether the thread has ended within `timeout` seconds; a thread that hangs in the system is left behind.
        """
        self._stopping.set()
        self._mailbox.close()
        with self._lock:
            source = self._source
        if source is not None:
            source.interrupt()
        return self.join(timeout)

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the camera has ended, failed or stopped; returns whether it has."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def is_done(self) -> bool:
        """Whether no frame will come any more."""
        return self._state in ("ended", "failed", "stopped")

    @property
    def status(self) -> CameraStatus:
        """What is known now."""
        with self._lock:
            source, last = self._source, self._last
            healing = source if isinstance(source, SelfHealing) else None
            trouble = healing.trouble if healing is not None else None
            return CameraStatus(
                camera=self._camera,
                state="reconnecting" if trouble and self._state == "running" else self._state,
                error=trouble or self._error,
                frames=self._frames,
                skipped=self._skipped + (source.skipped if source is not None else 0),
                last_frame_time=last.time if last else None,
                last_received=last.received if last else None,
                reconnects=self._reconnects + (healing.retries if healing is not None else 0),
                fps=self._rate(),
                behind=healing.behind if healing is not None else None,
                lost=self._lost + (healing.lost if healing is not None else 0),
                jumps=self._jumps + (healing.jumps if healing is not None else 0),
            )

    def _rate(self) -> float:
        if len(self._arrivals) < 2:  # noqa: PLR2004
            return 0.0
        end = self._arrivals[-1] if self.is_done else max(self._arrivals[-1], self._clock())
        return (len(self._arrivals) - 1) / max(end - self._arrivals[0], 1e-6)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = self._clock()
            failure = self._read()
            if failure is None:
                return self._become("stopped" if self._stopping.is_set() else "ended")
            if isinstance(failure, InputError):
                return self._become("failed", failure)
            # A connection that outlived the pause it would have to wait counts as a success.
            failures = 1 if self._clock() - began > self._backoff.bound(failures + 1) else failures + 1
            self._become("stalled" if isinstance(failure, StalledError) else "reconnecting", failure)
            self._stopping.wait(self._backoff.pause(failures))
            self._reconnects += 1
        self._become("stopped")

    def _read(self) -> Exception | None:
        """Opens the source and moves its frames until it ends (None) or breaks (the reason)."""
        source: Source | None = None
        try:
            source = self._open_source()
            with self._lock:
                self._source = source
            if self._stopping.is_set():
                source.interrupt()
            for frame in source.frames(self._resume):
                if not self._deliver(frame):
                    return None
        except (SourceError, InputError) as error:
            return None if self._stopping.is_set() else error
        except Exception as error:
            if self._stopping.is_set():
                return None
            self._log.exception("camera source failed unexpectedly")
            return error
        finally:
            with self._lock:
                self._skipped += source.skipped if source is not None else 0
                if isinstance(source, SelfHealing):
                    self._reconnects += source.retries
                    self._lost += source.lost
                    self._jumps += source.jumps
                self._source = None
        if source.is_live and not self._stopping.is_set():
            return SourceError(f"camera {self._camera!r}: the other side closed the connection")
        return None

    def _deliver(self, frame: Frame) -> bool:
        if self._state != "running":
            self._become("running")
        if not self._mailbox.put(frame):
            return False
        self._resume = frame.position.token
        with self._lock:
            self._frames += 1
            self._last = frame
            self._arrivals.append(self._clock())
        return True

    def _become(self, state: CameraState, error: Exception | None = None) -> None:
        with self._lock:
            changed = state != self._state
            self._state = state
            if state == "running" or error is not None:
                self._error = str(error) if error is not None else None
        if changed or error is not None:
            log = self._log.warning if error is not None else self._log.info
            log("camera " + state, **({"error": str(error)} if error is not None else {}))
        if changed and self._on_change is not None:
            self._on_change(self.status)

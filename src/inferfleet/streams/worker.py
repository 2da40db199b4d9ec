"""The worker: one process that runs all cameras of a `cameras.yaml`, from their sources to the sinks.

It holds the parts together and decides nothing about frames: lanes do that. A new configuration is applied to a
running worker by comparing what each camera needs; a camera for which nothing changed never notices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from inferfleet import __version__, garbage
from inferfleet.config.cameras import Camera, CamerasFile
from inferfleet.streams.analysis import ModelInfo
from inferfleet.streams.delivery import Delivery, Snapshots, Spool, open_sinks
from inferfleet.streams.lane import Lane, Outlets, TextReader
from inferfleet.streams.leases.held import Held
from inferfleet.streams.leases.leasing import Leasing, worker_name
from inferfleet.streams.metrics import Metrics
from inferfleet.streams.models import Models, ModelUse, uses_of
from inferfleet.streams.status import CameraReport, Rates, WorkerReport, report_camera, scrape

_log = structlog.get_logger(__name__)

_HOUSEKEEPING_SECONDS = 0.25
_FINISH_SECONDS = 5.0
"""How long frames at the models may take to finish when the worker stops."""
_FLUSH_SECONDS = 10.0
"""How long the sinks may take to deliver what is left when the worker stops; the rest stays in the spool."""
_WAITING_BATCHES = 2
"""How many full batches of one camera may be on their way, for each thread of a model."""


@dataclass(frozen=True)
class _Plan:
    """What a camera needs: two equal plans need no restart."""

    camera: Camera
    uses: tuple[ModelUse, ...]


class Worker:
    """All cameras of a configuration at work."""

    def __init__(self, config: CamerasFile, *, base: Path, name: str = "inferfleet", fresh: bool = False) -> None:
        """Opens the spool and the sinks and loads the models; nothing is read yet.

        Args:
            config: What to run.
            base: The folder that relative paths start from.
            name: The worker's name in events.
            fresh: Read file sources from their beginning, whatever was processed before.

        Raises:
            InputError: A model or a setting cannot be used.
            OutsideError: The spool or a sink cannot be opened.
        """
        self.metrics = Metrics()
        self.finished = threading.Event()
        leases = config.workers.leases
        own_name = name if leases is None else worker_name()
        self._name = f"{own_name}/{__version__}"
        self._leasing = None if leases is None else Leasing(leases, own_name, self)
        self._held: dict[str, Held] = {}
        self._base = base
        self._fresh = fresh
        self._config = config
        self._lock = threading.RLock()
        self._lanes: dict[str, Lane] = {}
        self._plans: dict[str, _Plan] = {}
        self._rates: dict[str, Rates] = {}
        self._began = time.monotonic()
        self._stopping = threading.Event()
        self._reader: TextReader | None = None
        self._models = Models(self.metrics)
        sinks = open_sinks(config.sinks, base)
        self.spool = Spool.open(
            base / config.spool.path, sinks=[sink.name for sink in sinks], max_bytes=config.spool.max_bytes
        )
        # When the reader of standard output has gone, nobody wants more: the worker ends as after its last frame.
        self._delivery = Delivery(
            self.spool,
            sinks,
            on_ended=lambda _: self.finished.set(),
            gate=self._leasing.gate if self._leasing else None,
        )
        self._outlets = Outlets(self.spool, Snapshots.of(config.sinks), self.metrics)
        self.metrics.collect_from(lambda: scrape(self.report()))
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Loads the models and starts delivery and all cameras; with leases, those that it gets."""
        import cv2

        cv2.setNumThreads(1)  # the cores have enough threads: OpenCV's own would spin beside them
        if self._leasing is not None:
            self._leasing.open()
        self._delivery.start()
        self.apply(self._config)
        self._housekeeper.start()
        if self._leasing is not None:
            self._leasing.start(self.spool)

    def apply(self, config: CamerasFile) -> list[str]:
        """Makes the running worker be as `config` says. Cameras for which nothing changes go on undisturbed.

        Returns:
            The ids of the cameras that were started, restarted or stopped.

        Raises:
            InputError: A model or a setting cannot be used; everything stays as it was.
            OutsideError: A model's file cannot be fetched; everything stays as it was.
        """
        with self._lock:
            plans = {c.id: _Plan(c, uses_of(config, c, self._base)) for c in config.cameras if c.enabled}
            wanted = [use for plan in plans.values() for use in plan.uses]
            self._models.load(wanted)
            self._load_reader(plans.values())
            changed = [id_ for id_ in {**self._plans, **plans} if self._plans.get(id_) != plans.get(id_)]
            lanes = {id_: self._make_lane(plans[id_], config) for id_ in changed if self._runs(id_, plans)}
            self._stop_lanes([id_ for id_ in changed if id_ in self._lanes])
            self._models.keep_only(wanted, _FINISH_SECONDS)
            self._rates.update((id_, Rates()) for id_ in lanes)
            self._lanes.update(lanes)
            for lane in lanes.values():
                lane.start()
            self._plans = plans
            if config.sinks != self._config.sinks or config.spool != self._config.spool:
                _log.warning(
                    "sinks and spool change only when the worker is started anew; cameras and models have changed"
                )
            self._config = config
            garbage.settle()
            return changed

    def stop(self) -> int:
        """Stops reading, finishes what is on its way, and flushes the sinks.

        Returns:
            How many events are still undelivered. Without leases they stay in the spool for the next start; with
            them, whoever takes their cameras next makes and delivers them again.
        """
        self._stopping.set()
        if self._leasing is not None:
            self._leasing.settle()
        with self._lock:
            self._stop_lanes(list(self._lanes))
            self._models.keep_only((), _FINISH_SECONDS)
        remaining = self._delivery.stop(_FLUSH_SECONDS)
        if self._leasing is not None:
            self._leasing.leave()
        self.spool.close()
        return remaining

    # What leases ask for, from their threads.

    def camera_ids(self) -> Collection[str]:
        """The cameras that this worker could run."""
        return tuple(self._plans)

    def begin_camera(self, held: Held) -> None:
        """Starts a camera under a lease."""
        with self._lock:
            plan = self._plans.get(held.camera)
            if plan is None or self._stopping.is_set():
                return
            self._held[held.camera] = held
            lane = self._make_lane(plan, self._config)
            self._lanes[held.camera], self._rates[held.camera] = lane, Rates()
            lane.start()

    def end_camera(self, camera: str) -> None:
        """Stops a camera whose lease is lost or about to be given up."""
        with self._lock:
            self._held.pop(camera, None)
            if camera in self._lanes:
                self._stop_lanes([camera])

    @property
    def is_leased(self) -> bool:
        """Whether cameras are shared with other workers."""
        return self._leasing is not None

    @property
    def is_alive(self) -> bool:
        """Whether the worker's own threads run; cameras may be down."""
        return self._housekeeper.is_alive() and all(model.is_alive for model in self._models.all)

    @property
    def is_ready(self) -> bool:
        """Whether the models are loaded and the sinks are open."""
        return self._housekeeper.is_alive() and not self._stopping.is_set() and self._delivery.is_open

    def lane(self, camera: str) -> Lane | None:
        """Returns a camera's lane, if there is such a camera."""
        return self._lanes.get(camera)

    def report(self) -> WorkerReport:
        """Returns the state of everything, as `/status` shows it."""
        with self._lock:
            cameras: list[CameraReport] = [
                report_camera(lane, self._rates[id_].value, self.metrics.drops(id_))
                for id_, lane in self._lanes.items()
            ]
        return WorkerReport(
            worker=self._name,
            uptime_seconds=time.monotonic() - self._began,
            ready=self.is_ready,
            cameras=cameras,
            models={m.name: m.detector.digest for m in self._models.all},
            sinks=self._delivery.status(),
            spool_bytes=self.spool.size_bytes,
            spool_full=self.spool.is_full,
            spool_error=self.spool.trouble,
            leases=self._leasing.report() if self._leasing is not None else None,
        )

    def _runs(self, camera: str, plans: Mapping[str, _Plan]) -> bool:
        """Whether a camera is to run here: if it is wanted, and nobody else has it."""
        return camera in plans and (self._leasing is None or camera in self._held)

    def _load_reader(self, plans: Sequence[_Plan] | Any) -> None:
        if self._reader is None and any(plan.camera.read_text_steps for plan in plans):
            from inferfleet.vision.text import TextReader as Reader

            self._reader = Reader().read

    def _make_lane(self, plan: _Plan, config: CamerasFile) -> Lane:
        threads = [self._models.threads(use) for use in plan.uses]
        detectors = {model.name: model.detector for model in threads}
        several = sum(camera.enabled for camera in config.cameras) > 1
        return Lane(
            plan.camera,
            batchers=[model.batcher for model in threads],
            models={
                name: ModelInfo(name, detectors[name].digest, detectors[name].names)
                for name in config.models
                if name in detectors
            },
            worker=self._name,
            reader=self._reader,
            outlets=self._outlets,
            in_flight=_WAITING_BATCHES * sum(m.detector.workers * m.detector.batch_sizes[-1] for m in threads),
            base=self._base,
            decoder_threads=1 if several else 0,
            fresh=self._fresh,
            is_ours=self._may_publish(plan.camera.id),
        )

    def _may_publish(self, camera: str) -> Callable[[], bool]:
        if self._leasing is None:
            return lambda: True
        held = self._held[camera]
        return lambda: held.is_valid

    def _stop_lanes(self, ids: Sequence[str]) -> None:
        stoppers = [
            threading.Thread(target=self._lanes[id_].stop, args=(_FINISH_SECONDS,), name=f"stop-{id_}") for id_ in ids
        ]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        for id_ in ids:
            del self._lanes[id_], self._rates[id_]

    def _keep_house(self) -> None:
        was_full = False
        while not self._stopping.wait(_HOUSEKEEPING_SECONDS):
            lanes = list(self._lanes.items())
            if was_full and not self.spool.is_full:
                for _, lane in lanes:
                    lane.poke()
            was_full = self.spool.is_full
            now = time.monotonic()
            for id_, lane in lanes:
                if id_ in self._rates:
                    self._rates[id_].update(now, lane.frames)
            done = [lane for _, lane in lanes if lane.is_finished]
            for lane in done:
                lane.conclude()
            if lanes and len(done) == len(lanes) and self._leasing is None:
                self.finished.set()

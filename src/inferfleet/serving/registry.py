"""The models by name: loaded, warmed beside the ones that serve, swapped, and ended when they have answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

import structlog

from inferfleet import garbage
from inferfleet.config.serve import LimitsConfig, QueueConfig, ServedModel, ServeFile
from inferfleet.errors import InferfleetError, InputError
from inferfleet.serving import background
from inferfleet.serving.lane import Lane
from inferfleet.serving.metrics import LaneState, Metrics
from inferfleet.serving.problems import Problem
from inferfleet.serving.servable import Servable, load

_log = structlog.get_logger(__name__)

Loader = Callable[[ServedModel, LimitsConfig], Servable]


class Registry:
    """What is served at present."""

    def __init__(self, config: ServeFile, metrics: Metrics, loader: Loader = load) -> None:
        self.default = config.default_model
        self._models: Mapping[str, ServedModel] = config.models
        self._limits: LimitsConfig = config.limits
        self._queue: QueueConfig = config.queue
        self._metrics = metrics
        self._loader = loader
        self._lanes: dict[str, Lane] = {}
        self._reloading = {name: asyncio.Lock() for name in config.models}
        self._retired: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether every model is loaded and warm, and its threads run."""
        return len(self._lanes) == len(self._models) and all(lane.is_alive for lane in self._lanes.values())

    @property
    def is_alive(self) -> bool:
        """Whether no thread has died."""
        return all(lane.is_alive for lane in self._lanes.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all models, loaded or not."""
        return tuple(self._models)

    def lane(self, name: str | None = None) -> Lane:
        """Returns the lane that answers for a model at present; the default model when no name is given.

        Raises:
            Problem: There is no such model, or it is not loaded yet.
        """
        lane = self._lanes.get(name or self.default)
        if lane is not None:
            return lane
        if name and name not in self._models:
            raise Problem("not-found", f"there is no model {name[:100]!r}; there are {', '.join(self._models)}")
        raise Problem("not-ready", f"model {name or self.default}: is still loading", (b"retry-after", b"1"))

    def __iter__(self) -> Iterator[tuple[str, Lane]]:
        """Goes through the loaded models."""
        return iter(self._lanes.items())

    async def load(self) -> None:
        """Loads all models, one after the other.

        Raises:
            InferfleetError: One cannot be used.
        """
        for name in self._models:
            self._lanes[name] = await self._build(name)
        garbage.settle()

    async def reload(self, name: str) -> str:
        """Loads a model again beside the one that serves, then swaps.

        Returns:
            `swapped`, or `unchanged` where the file is the one that serves already.

        Raises:
            InferfleetError: The new one cannot be used; the old one goes on serving.
        """
        async with self._reloading[name]:
            began = time.monotonic()
            try:
                fresh = await self._build(name)
            except InferfleetError as error:
                self._metrics.reloaded(name, "failed")
                _log.error("reload failed; the old model goes on serving", model=name, error=str(error))
                raise
            old, self._lanes[name] = self._lanes.get(name), fresh
            if old is not None:
                self._retire(old)
            about = fresh.servable.about
            outcome = "unchanged" if old is not None and old.servable.about == about else "swapped"
            self._metrics.reloaded(name, outcome)
            _log.info(
                "model reloaded",
                model=name,
                version=about.version,
                outcome=outcome,
                seconds=round(time.monotonic() - began, 2),
            )
            return outcome

    async def stop(self) -> None:
        """Lets every lane answer what it has accepted, and ends its threads."""
        for lane in self._lanes.values():
            self._retire(lane)
        await asyncio.gather(*self._retired)

    def states(self) -> Iterator[LaneState]:
        """What a scrape shows."""
        for name, lane in self._lanes.items():
            about = lane.servable.about
            yield LaneState(name, about.version, about.digest, lane.pending, lane.predicted())

    async def _build(self, name: str) -> Lane:
        config = self._models[name]
        try:
            servable = await background.run(lambda: self._loader(config, self._limits))
        except InferfleetError:
            raise
        except Exception as error:  # a broken file can make the libraries below raise anything
            _log.exception("a model could not be loaded", model=name)
            raise InputError(f"model {config.path}: cannot be loaded: {error}") from error
        lane = Lane(name, servable, config, self._queue, self._metrics.lane(name))
        await lane.start()
        return lane

    def _retire(self, lane: Lane) -> None:
        task = asyncio.create_task(_end(lane))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)


async def _end(lane: Lane) -> None:
    await lane.stop()
    garbage.settle()

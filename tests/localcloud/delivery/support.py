"""Sinks at work before the emulated services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inferfleet.config.cameras import CamerasFile
from inferfleet.streams.delivery import Delivery, Item, Spool, open_sinks
from inferfleet.streams.delivery.sinks.base import Sink
from tests.localcloud.delivery.cloud import REGION
from tests.unit.streams.delivery.support import make_checkpoint

PATIENCE = 60.0


def sink(kind: str, url: str, **settings: Any) -> Sink:
    """A sink as the configuration makes it."""
    given = {"endpoint_url": url, "region": REGION, **settings}
    config = CamerasFile.model_validate({"sinks": [{kind: given}]})
    return open_sinks(config.sinks, Path())[0]


def deliver(folder: Path, target: Sink, items: Sequence[Item]) -> None:
    """Puts events into a spool and lets the sink drain it, with all its retries."""
    with Spool.open(folder, [target.name]) as spool:
        delivery = Delivery(spool, [target])
        delivery.start()
        for item in items:
            spool.append([item], make_checkpoint(item.event.subject, item.event.data.position.frame))
        assert delivery.stop(PATIENCE) == 0, delivery.status()


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for: {what}"
        threading.Event().wait(0.05)

"""The real server over a model that takes a known time and answers without looking.

`fake_server.py SECONDS --config FILE`; while there is a file `hold` beside FILE, the device is busy with its batch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from inferfleet import logs
from inferfleet.config.base import read
from inferfleet.config.serve import LimitsConfig, ServedModel, ServeFile
from inferfleet.serving.answers import ClassPrediction, PictureAnswer
from inferfleet.serving.servable import About, Ask, Input
from inferfleet.serving.server import Process, listen

BATCHES = (1, 2, 4)


class Sleeper:
    """One device that takes so many seconds a batch; the class it tells is the picture's first byte."""

    workers = 1
    batch_sizes = BATCHES

    def __init__(self, config: ServedModel, seconds: float, hold: Path) -> None:
        self._seconds = seconds
        self._hold = hold
        self.about = About("classifier", config.version or "1", "0" * 64, ("any",), (1, 1), "fake", "cpu", "f32")

    def prepare(self, picture: Input, name: str) -> int:
        """Takes a picture's first byte."""
        return int(picture[0]) if isinstance(picture, bytes) else 0

    def run(self, prepared: Sequence[int], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Takes its time."""
        time.sleep(self._seconds)
        while self._hold.exists():
            time.sleep(0.005)
        return [PictureAnswer([ClassPrediction("any", 1.0, one)], 1, 1) for one in prepared]


def main() -> None:
    seconds, path = float(sys.argv[1]), Path(sys.argv[3])
    logs.set_up("INFO")
    config = read(path, ServeFile)
    sockets = listen(config)
    ports = [one.getsockname()[1] for one in sockets]
    import structlog

    structlog.get_logger().info("serving", port=ports[0], admin_port=ports[-1])

    def load(model: ServedModel, _: LimitsConfig) -> Sleeper:
        return Sleeper(model, seconds, path.with_name("hold"))

    Process(config, sockets, load).run()


if __name__ == "__main__":
    main()

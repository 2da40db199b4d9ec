"""The server over a model that does nothing: `noop.py PORT`. What is left is what the server itself costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from inferfleet import logs
from inferfleet.config.serve import LimitsConfig, ServedModel, ServeFile
from inferfleet.serving.answers import PictureAnswer
from inferfleet.serving.servable import About, Ask, Input
from inferfleet.serving.server import Process, listen


class Nothing:
    """Answers at once."""

    workers = 1
    batch_sizes = (1, 16)
    about = About("classifier", "1", "0" * 64, (), (1, 1), "none", "cpu", "f32")

    def prepare(self, picture: Input, name: str) -> int:
        """Looks at nothing."""
        return len(picture)

    def run(self, prepared: Sequence[int], asks: Sequence[Ask]) -> list[PictureAnswer]:
        """Answers nothing."""
        return [PictureAnswer([], 1, 1) for _ in prepared]


def load(_: ServedModel, __: LimitsConfig) -> Nothing:
    """Loads nothing."""
    return Nothing()


if __name__ == "__main__":
    logs.set_up("WARNING")
    config = ServeFile.model_validate({"models": {"nothing": "none"}, "host": "127.0.0.1", "port": int(sys.argv[1])})
    Process(config, listen(config), load).run()

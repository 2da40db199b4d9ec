"""Fills a disk with events, then delivers. Run on a small file system of its own; prints what it saw.

Argument: a folder on that file system.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from inferfleet.streams.delivery import Attachment, Spool
from tests.unit.streams.delivery.support import eventually, make_checkpoint, make_item

SINKS = ("a",)


def main(folder: Path) -> None:
    """Appends until the disk refuses, delivers, and expects that the append returns."""
    spool = Spool.open(folder / "spool", SINKS)
    done = threading.Event()
    count = 120

    def camera() -> None:
        for frame in range(count):
            picture = Attachment(f"{frame}.jpg", "image/jpeg", os.urandom(400_000), "a")
            spool.append([make_item("gate", frame, (picture,))], make_checkpoint("gate", frame))
        done.set()

    threading.Thread(target=camera, daemon=True).start()
    eventually(lambda: spool.trouble is not None, "the disk is full")
    assert spool.is_full and not done.is_set()
    print("trouble:", spool.trouble, flush=True)
    held = spool.backlog("a").events

    reader = spool.reader("a")
    seen: list[int] = []
    deadline = time.monotonic() + 15
    while len(seen) < count and time.monotonic() < deadline:
        rows = reader.read(2, 10**9)
        seen += [row.item.event.data.position.frame for row in rows]
        if rows:
            spool.acknowledge("a", rows[-1].seq)
        else:
            spool.wait_for_events(reader.position, 0.1)
    assert seen == list(range(count)), seen
    assert done.wait(20), "the waiting append has returned"
    assert spool.trouble is None and not spool.is_full
    reader.close()
    spool.close()
    print(f"held {held}, delivered {len(seen)}, checkpoint kept", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

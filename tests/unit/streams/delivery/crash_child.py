"""A worker's delivery with cameras that count, run as a process of its own so that it can be killed.

Arguments: folder, and how many events each camera makes in all. It tells on standard output what `append` returned
for: `<camera> <frame>`; lines are whole, so whoever reads knows what must survive.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from inferfleet.config.cameras import CamerasFile
from inferfleet.streams.delivery import Attachment, Delivery, Spool, open_sinks
from tests.unit.streams.delivery.support import make_checkpoint, make_item

CAMERAS = 4


def count(spool: Spool, camera: str, total: int) -> None:
    """Goes on where the camera stopped: each third frame makes an event, each thirtieth one with a picture."""
    before = spool.checkpoint(camera)
    for frame in range(int(before.token) + 1 if before else 0, total):
        picture = Attachment(f"{camera}/{frame}.jpg", "image/jpeg", bytes([frame % 256]) * 5000)
        pictures = (picture,) if frame % 30 == 0 else ()
        items = [make_item(camera, frame, pictures)] if frame % 3 == 0 else []
        spool.append(items, make_checkpoint(camera, frame))
        if items:
            os.write(1, f"{camera} {frame}\n".encode())


def main(folder: Path, total: int) -> None:
    """Runs all cameras to their end and delivers everything."""
    file = {"path": "events.jsonl", "max_bytes": 100_000, "keep": 1000}
    config = CamerasFile.model_validate({"sinks": [{"file": file}, {"snapshots": "pictures"}]})
    sinks = open_sinks(config.sinks, folder)
    spool = Spool.open(folder / "spool", [sink.name for sink in sinks])
    delivery = Delivery(spool, sinks)
    delivery.start()
    cameras = [threading.Thread(target=count, args=(spool, f"camera-{n}", total)) for n in range(CAMERAS)]
    for camera in cameras:
        camera.start()
    for camera in cameras:
        camera.join()
    remaining = delivery.stop(20)
    spool.close()
    sys.exit(1 if remaining else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

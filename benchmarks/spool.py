"""Appends a second into the spool, with 1, 8 and 32 cameras at once, each append durable before the next.

Run: `python benchmarks/spool.py [--seconds 3] [--folder DIR]`. The folder should be on the disk in question: what is
measured is mostly its fsync, which the table shows first.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery import Attachment, Item, Spool
from inferfleet.streams.event import Event, EventData, EventModel, EventPosition, event_id, format_time

PICTURE_BYTES = 150_000
STATE_BYTES = 2_000


def item(camera: str, number: int, picture: bytes) -> Item:
    """An event of usual size, with a picture if there is one."""
    box = (101.5, 202.25, 303.125, 404.0625)
    data = EventData(
        position=EventPosition(frame=number, pts=number / 25),
        frame_size=(1920, 1080),
        model=EventModel("street", "0" * 64),
        worker="benchmark/1",
        label="car",
        confidence=0.93,
        box=box,
        box_fraction=(0.05, 0.18, 0.15, 0.37),
        track=f"{number}",
    )
    event = Event(
        id=event_id(camera, str(number), "detection", str(number)),
        source=f"/cameras/{camera}",
        type="inferfleet.detection",
        time=format_time(datetime.now(UTC)),
        subject=camera,
        data=data,
    )
    return Item(event, (Attachment(f"{camera}/{number}.jpg", "image/jpeg", picture),) if picture else ())


def appends_per_second(folder: Path, cameras: int, seconds: float, picture_bytes: int) -> float:
    """Appends from `cameras` threads for a while, with one sink that takes everything at once."""
    picture = os.urandom(picture_bytes)
    counts = [0] * cameras
    with Spool.open(folder, ["sink"]) as spool:
        until = time.monotonic() + seconds

        def run(index: int) -> None:
            camera = f"camera-{index}"
            while time.monotonic() < until:
                checkpoint = Checkpoint(camera, str(counts[index]), bytes(STATE_BYTES))
                spool.append([item(camera, counts[index], picture)], checkpoint)
                counts[index] += 1

        threads = [threading.Thread(target=run, args=(index,)) for index in range(cameras)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        reader = spool.reader("sink")
        while any(thread.is_alive() for thread in threads):
            if reader.read(500, 32 * 1024**2):
                spool.acknowledge("sink", reader.position)
            else:
                spool.wait_for_events(reader.position, 0.1)
        taken = time.monotonic() - began
        reader.close()
    return sum(counts) / taken


def fsyncs_per_second(folder: Path, seconds: float) -> float:
    """What the disk can do at best with one durable write at a time."""
    count = 0
    file = os.open(folder / "fsync", os.O_WRONLY | os.O_CREAT)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        os.pwrite(file, bytes(4096), 4096 * (count % 1000))
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / seconds


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        fsyncs = fsyncs_per_second(folder, 1.0)
        table = Table(title=f"durable appends a second (the disk: {fsyncs:.0f} fsyncs a second)")
        for column in ("cameras", "events alone", "for each fsync", "with a picture of 150 kB", "MB/s"):
            table.add_column(column, justify="right")
        for cameras in (1, 8, 32):
            plain = appends_per_second(folder / f"plain-{cameras}", cameras, arguments.seconds, 0)
            pictures = appends_per_second(folder / f"pictures-{cameras}", cameras, arguments.seconds, PICTURE_BYTES)
            table.add_row(
                str(cameras),
                f"{plain:.0f}",
                f"{plain / fsyncs:.2f}",
                f"{pictures:.0f}",
                f"{pictures * PICTURE_BYTES / 1e6:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()

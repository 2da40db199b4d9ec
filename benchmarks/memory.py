"""Memory of the worker over time: eight cameras that never end, for ten minutes.

Prints each minute's median of the resident size, which frames on their way move by some MiB from one moment to the
next, and the growth from minute 2 to the last.

Usage: `python benchmarks/memory.py --clip FILE [--model FILE] [--cameras 8] [--minutes 10]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from inferfleet.config.base import validate
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.source import parse
from inferfleet.streams.worker import Worker

WARM_UP_MINUTES = 2
SAMPLES = 60


def resident_mib() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1024**2


def median_of_a_minute() -> float:
    """Watches this process's memory for a minute, in MiB."""
    seen: list[float] = []
    for _ in range(SAMPLES):
        time.sleep(60 / SAMPLES)
        seen.append(resident_mib())
    return statistics.median(seen)


def main() -> None:
    """Runs the worker and watches it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--model", default="zoo:street-v1")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    source = {"path": str(arguments.clip.resolve()), "loop": True}
    config = {
        "models": {"m": arguments.model},
        "cameras": [{"id": f"c{n}", "source": source} for n in range(arguments.cameras)],
        "sinks": [{"file": "events.jsonl"}, {"snapshots": "pictures"}],
    }
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(validate(parse(json.dumps(config), "bench", {}), CamerasFile), base=Path(folder))
        worker.start()
        sizes: list[float] = []
        while len(sizes) < arguments.minutes:
            sizes.append(median_of_a_minute())
            frames = sum(camera.frames for camera in worker.report().cameras)
            print(f"minute {len(sizes):2d}: {sizes[-1]:7.1f} MiB, {frames} frames", flush=True)
        worker.stop()
    if len(sizes) > WARM_UP_MINUTES:
        growth = sizes[-1] / sizes[WARM_UP_MINUTES - 1] - 1
        print(f"memory of {arguments.cameras} cameras: {growth:+.1%} from minute {WARM_UP_MINUTES} to {len(sizes)}")


if __name__ == "__main__":
    main()

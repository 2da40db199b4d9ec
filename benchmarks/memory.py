"""Memory of the worker over time: eight cameras that never end, for ten minutes.

Prints the resident size each minute and the growth from minute 2 to the end.

Usage: `python benchmarks/memory.py --clip FILE [--model FILE] [--cameras 8] [--minutes 10]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from inferfleet.config.base import validate
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.source import parse
from inferfleet.streams.worker import Worker

WARM_UP_MINUTES = 2


def resident_mib() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1024**2


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
        sizes = [resident_mib()]
        began = time.monotonic()
        while len(sizes) <= arguments.minutes:
            time.sleep(max(0.0, began + 60 * len(sizes) - time.monotonic()))
            sizes.append(resident_mib())
            frames = sum(camera.frames for camera in worker.report().cameras)
            print(f"minute {len(sizes) - 1:2d}: {sizes[-1]:7.1f} MiB, {frames} frames", flush=True)
        worker.stop()
    if len(sizes) > WARM_UP_MINUTES:
        growth = sizes[-1] / sizes[WARM_UP_MINUTES] - 1
        print(f"memory of {arguments.cameras} cameras: {growth:+.1%} from minute {WARM_UP_MINUTES} to {len(sizes) - 1}")


if __name__ == "__main__":
    main()

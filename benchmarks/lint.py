"""How long `inferfleet validate` takes from a cold start, on any files: `python benchmarks/lint.py PATH…`.

Each run is a process of its own. The time on the processor is what the linter costs; the time on the clock depends on
what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1.0


def run(paths: list[Path]) -> tuple[float, float]:
    """Returns seconds on the clock and on the processor of one run."""
    before, start = os.times(), time.perf_counter()
    script = "from inferfleet.cli.main import main; main()"
    command = [sys.executable, "-c", script, "validate", *map(str, paths)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = os.times()
    processor = after.children_user - before.children_user + after.children_system - before.children_system
    return time.perf_counter() - start, processor


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    run(arguments.paths)
    times = [run(arguments.paths) for _ in range(arguments.runs)]
    for name, values in zip(("clock", "processor"), zip(*times, strict=True), strict=True):
        print(f"{name:9} best {min(values):.2f} s   median {statistics.median(values):.2f} s")
    best = min(clock for clock, _ in times)
    print(f"a cold start takes {'less' if best < LIMIT else 'more'} than {LIMIT:g} s (load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()

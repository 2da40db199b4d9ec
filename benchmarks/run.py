"""All benchmarks in one run: `make bench`, or `python benchmarks/run.py [--only worker,spool] [--minutes 10]`.

The clip is a rendered street with the model that ships. Where the real recording and the real detector are there
(`INFERFLEET_SHARED`), the worker is measured on them too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from inferfleet.demo.clips import CLIPS, write_clip

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("INFERFLEET_SHARED", HERE.parents[1] / "shared" / "data"))


def commands(clip: Path, minutes: float) -> Iterator[tuple[str, list[str]]]:
    """Each benchmark's name and arguments."""
    yield "worker", ["--clip", str(clip)]
    recording, detector = SHARED / "video" / "one-by-one-person-detection.mp4", SHARED / "models" / "yolox_nano.onnx"
    if recording.exists() and detector.exists():
        yield "worker", ["--clip", str(recording), "--model", str(detector)]
    yield "isolation", ["--clip", str(clip)]
    for name in ("analysis", "spool", "skip_decode", "matroska"):
        yield name, []
    seeds = SHARED.parent / "seeds"
    yield "lint", [str(seeds if seeds.exists() else HERE.parent / "examples")]
    yield "memory", ["--clip", str(clip), "--minutes", str(minutes)]


def main() -> None:
    """Runs them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--minutes", type=float, default=10, help="how long memory is watched")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        clip = write_clip(CLIPS[0], Path(folder)).video
        for name, options in commands(clip, arguments.minutes):
            if not only or name in only:
                print(f"\n== {name} {' '.join(options)}", flush=True)
                subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], check=True)


if __name__ == "__main__":
    main()

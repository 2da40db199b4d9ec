"""How much decoding `fps_target` saves: the same clips, read whole and at lower and lower rates.

    python benchmarks/skip_decode.py [VIDEO …]

Each line is one clip at one rate. "all" decodes every frame and leaves out what is not wanted, as a reader without
skipping does; "skip" is inferfleet's file source. Both deliver the same frames, which is checked. The ratio is how
many times faster the clip is through.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from inferfleet.config.sources import FileSource
from inferfleet.streams.sources.file import FileReader
from tests.media.clips import Clip, write

RATES = (10.0, 5.0, 2.0, 1.0, 0.2)
ROUNDS = 2
SIZE = (1280, 720)
CLIPS = {
    "h264, key every 1 s": Clip(frames=300, gop=25, size=SIZE),
    "h264, key every 4 s": Clip(frames=300, gop=100, size=SIZE),
    "h264, no B frames": Clip(frames=300, gop=50, b_frames=0, size=SIZE),
    "h265, key every 2 s": Clip("libx265", frames=300, gop=50, size=SIZE),
    "mjpeg": Clip("mjpeg", frames=150, b_frames=0, size=SIZE),
}


def tokens(path: Path, fps: float | None) -> list[tuple[str, float]]:
    """Reads a file at a rate and returns what came: each frame's token and its time in seconds."""
    source = FileReader("bench", FileSource(path=path), Path(), fps_target=fps)
    return [(frame.position.token, frame.position.pts or 0.0) for frame in source.frames(None)]


def best(work: Callable[[], list[tuple[str, float]]]) -> tuple[float, list[tuple[str, float]]]:
    """The shortest of some rounds, in seconds of this process's processor time, and the last result."""
    shortest, result = float("inf"), []
    for _ in range(ROUNDS):
        began = time.process_time()
        result = work()
        shortest = min(shortest, time.process_time() - began)
    return shortest, result


def first_of_each_tick(frames: list[tuple[str, float]], fps: float) -> list[str]:
    """The frames that a rate takes."""
    taken, last = [], None
    for token, seconds in frames:
        tick = int(seconds * fps + 1e-9)
        if tick != last:
            taken.append(token)
        last = tick
    return taken


def main() -> int:
    """Prints the table; returns 1 if skipping has missed a frame."""
    table = Table("clip", "fps_target", "frames", "all, CPU s", "skip, CPU s", "ratio", title="Decoding saved")
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: write(Path(folder) / f"{n}.mkv", clip) for n, (name, clip) in enumerate(CLIPS.items())}
        paths.update({Path(given).name: Path(given) for given in sys.argv[1:]})
        for name, path in paths.items():
            everything, frames = best(lambda path=path: tokens(path, None))  # type: ignore[misc]
            for fps in RATES:
                skipping, found = best(lambda path=path, fps=fps: tokens(path, fps))  # type: ignore[misc]
                missed += [token for token, _ in found] != first_of_each_tick(frames, fps)
                cells = (f"{fps:g}", str(len(found)), f"{everything:.2f}", f"{skipping:.2f}")
                table.add_row(name, *cells, f"{everything / skipping:.1f}")
    Console(width=100).print(table)
    print(f"skip decode: {len(paths)} clips, {missed} with a frame missed or too many")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

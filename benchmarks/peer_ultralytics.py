"""Ultralytics over the same files with the same weights; run by `worker.py` with the Python that has it.

Prints frames, wall-clock and processor seconds as JSON on the last line. Ultralytics is AGPL-3.0: it is a peer to
measure against, in an environment of its own, never a dependency.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from ultralytics import YOLO  # type: ignore[import-not-found]


def main() -> None:
    """Reads `clip model cameras frames` from the command line and measures."""
    clip, model, cameras, most = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "cameras.streams"
        sources.write_text(f"{clip}\n" * cameras)
        detector = YOLO(model, task="detect")
        source = str(sources) if cameras > 1 else clip
        results = detector.predict(source, stream=True, verbose=False, device="cpu", imgsz=json.loads(sys.argv[5]))
        next(results)
        frames, cpu, wall = 0, time.process_time(), time.perf_counter()
        for _ in results:
            frames += 1
            if frames >= most:
                break
        print(json.dumps({"frames": frames, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()

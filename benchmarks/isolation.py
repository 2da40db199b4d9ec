"""Latency of four good cameras, alone and beside four bad ones (missing, silent, ended, garbage), in one run.

The good cameras play in real time, so that latency is that of a worker that keeps up. The two settings alternate and
the medians of several rounds are compared, since one round alone is as noisy as the machine.

Usage: `python benchmarks/isolation.py --clip FILE [--model FILE] [--rounds 5]`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import tempfile
from pathlib import Path
from typing import Any

from inferfleet.config.base import validate
from inferfleet.config.cameras import CamerasFile
from inferfleet.config.source import parse
from inferfleet.streams.frame import Frame
from inferfleet.streams.worker import Worker

GOOD = 4
SECONDS = 12


def latency_p95(clip: Path, model: str, bad: list[dict[str, Any]]) -> float:
    """Runs the good cameras to their end, beside the bad ones; returns their 95th percentile latency in seconds."""
    good = [
        {"id": f"good-{n}", "source": {"path": str(clip), "pace": "realtime"}, "mode": "complete"} for n in range(GOOD)
    ]
    config = {"models": {"m": model}, "cameras": good + bad, "sinks": [{"file": "events.jsonl"}]}
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(validate(parse(json.dumps(config), "bench", {}), CamerasFile), base=Path(folder))
        latencies: list[float] = []
        record = worker.metrics.processed

        def processed(frame: Frame, latency: float) -> None:
            if frame.camera.startswith("good"):
                latencies.append(latency)
            record(frame, latency)

        worker.metrics.processed = processed  # type: ignore[method-assign]
        worker.start()
        lanes = [worker.lane(camera["id"]) for camera in good]
        while not all(lane is not None and lane.is_finished for lane in lanes):
            worker.finished.wait(0.1)
        worker.stop()
    return statistics.quantiles(latencies, n=20)[-1]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--model", default="zoo:street-v1")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    clip = arguments.clip.resolve()
    silent = socket.create_server(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory() as folder:
        noise = Path(folder) / "noise.mp4"
        noise.write_bytes(os.urandom(1_000_000))
        bad = [
            {"id": "missing", "source": f"{folder}/none.mp4"},
            {"id": "silent", "source": {"url": f"http://127.0.0.1:{silent.getsockname()[1]}/", "timeout": 2}},
            {"id": "ended", "source": str(clip), "fps_target": 0.2},
            {"id": "garbage", "source": str(noise)},
        ]
        rounds = [
            (latency_p95(clip, arguments.model, []), latency_p95(clip, arguments.model, bad))
            for _ in range(arguments.rounds)
        ]
    alone, beside = (statistics.median(values) for values in zip(*rounds, strict=True))
    print(
        f"p95 latency of {GOOD} good cameras: {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside "
        f"{len(bad)} bad ones, ratio {beside / alone:.2f} (medians of {arguments.rounds} rounds)"
    )


if __name__ == "__main__":
    main()

"""The worker against the limit of what decoding and the engine allow, and against simpler loops, in one run.

Every figure is measured on the same clip with the same weights, each in a process of its own:

- decode alone: as many threads as cores, each decoding a camera's clip and dropping the frames;
- engine alone: the detector on pictures that are already scaled, with the threads it asks for;
- limit: where both share the cores, 1 / (1 / decode + 1 / engine);
- own time: processor time of the worker, less that of decoding and of the engine, for each frame;
- loop: OpenCV's VideoCapture and ONNX Runtime, camera after camera, as most scripts do it;
- Ultralytics: its `stream=True` over the same files, when `ULTRALYTICS_PYTHON` names a Python that has it and the model
  is one that it reads.

Usage: `python benchmarks/worker.py [--clip FILE] [--model FILE] [--cameras 1,8,32]`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ENGINE_FRAMES = 400
LOOP_FRAMES = 600
WARM_FRAMES = 10
WORKER_FRAMES = 2000


@dataclass(frozen=True)
class Measured:
    """Frames, and the wall-clock and processor seconds that they took."""

    frames: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.wall

    @property
    def cpu_each(self) -> float:
        """Processor seconds a frame."""
        return self.cpu / self.frames


def timed(work: Callable[[], int]) -> Measured:
    """Runs `work`, which returns how many frames it did."""
    cpu, wall = time.process_time(), time.perf_counter()
    frames = work()
    return Measured(frames, time.perf_counter() - wall, time.process_time() - cpu)


def decode_alone(clip: Path, _model: str, cameras: int) -> Measured:
    """Decodes the clip once for each camera, on as many threads as there are cores."""
    import av

    counts: list[int] = []
    todo = list(range(cameras))

    def decode() -> None:
        while todo:
            todo.pop()
            with av.open(str(clip)) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                counts.append(sum(1 for _ in container.decode(stream)))

    def work() -> int:
        _in_threads(decode, os.cpu_count() or 1)
        return sum(counts)

    return timed(work)


def engine_alone(clip: Path, model: str, _cameras: int) -> Measured:
    """Runs the detector on prepared pictures of the clip, on as many threads as it asks for."""
    import av

    from inferfleet.config.model import ModelConfig
    from inferfleet.streams.picture import Scaler, VideoPicture
    from inferfleet.vision.loader import load_detector

    detector = load_detector(ModelConfig(path=model))
    batch, scaler = detector.batch_sizes[-1], Scaler()
    with av.open(str(clip)) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(64), strict=False)]
        prepared = [detector.prepare(VideoPicture(frame, scaler)) for frame in frames]
    detector.detect(prepared[:batch], 0.15)
    rounds = ENGINE_FRAMES // batch // detector.workers

    def run() -> None:
        for number in range(rounds):
            start = number * batch % (len(prepared) - batch + 1)
            detector.detect(prepared[start : start + batch], 0.15)

    def work() -> int:
        _in_threads(run, detector.workers)
        return rounds * batch * detector.workers

    return timed(work)


def worker(clip: Path, model: str, cameras: int) -> Measured:
    """Runs the worker on the clip as so many complete cameras, and measures once all of them are under way."""
    from inferfleet.config.base import validate
    from inferfleet.config.cameras import CamerasFile
    from inferfleet.config.source import parse
    from inferfleet.streams.worker import Worker

    with tempfile.TemporaryDirectory() as folder:
        config = {
            "models": {"m": model},
            "cameras": [{"id": f"c{n}", "source": {"path": str(clip), "loop": True}} for n in range(cameras)],
            "sinks": [{"file": "events.jsonl"}],
        }
        instance = Worker(validate(parse(json.dumps(config), "bench", {}), CamerasFile), base=Path(folder))

        def counts() -> list[int]:
            return [camera.frames for camera in instance.report().cameras]

        def work() -> int:
            before = sum(counts())
            while (done := sum(counts()) - before) < WORKER_FRAMES:
                time.sleep(0.05)
            return done

        try:
            instance.start()
            while min(counts()) < WARM_FRAMES:
                time.sleep(0.05)
            return timed(work)
        finally:
            instance.stop()


def loop(clip: Path, model: str, cameras: int) -> Measured:
    """The straightforward way: one loop over the cameras with VideoCapture and ONNX Runtime, boxes read as we do."""
    import cv2
    import numpy as np
    import onnxruntime

    from inferfleet.vision import onnxfile
    from inferfleet.vision.families.recognise import recognise
    from inferfleet.vision.nms import suppress

    file, width, height = model_file(model)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (first,) = session.get_inputs()
    family = recognise(model, onnxfile.read(file, None).signature, None)
    look = family.preprocessing
    captures = [cv2.VideoCapture(str(clip)) for _ in range(cameras)]

    def look_at(picture: np.ndarray) -> None:
        scale = min(width / picture.shape[1], height / picture.shape[0])
        small = cv2.resize(picture, (round(picture.shape[1] * scale), round(picture.shape[0] * scale)))
        canvas = np.full((height, width, 3), look.padding, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        blob = cv2.dnn.blobFromImage(canvas, 1 / look.std[0], mean=look.mean, swapRB=not look.bgr)
        suppress(family.decode(session.run(list(family.outputs), {first.name: blob}), 0, 0.25), family.iou or 0.7, 300)

    def work() -> int:
        frames = 0
        while frames < LOOP_FRAMES:
            for capture in captures:
                ok, picture = capture.read()
                if not ok:
                    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                    ok, picture = capture.read()
                look_at(picture)
                frames += 1
        return frames

    return timed(work)


def model_file(model: str) -> tuple[Path, int, int]:
    """Returns a model's file, and its input's width and height."""
    import onnxruntime

    from inferfleet.vision import store

    file = store.fetch(model, None, store.cache_folder(os.environ)).path
    shape = onnxruntime.InferenceSession(str(file)).get_inputs()[0].shape
    return file, shape[3], shape[2]


MEASURES: dict[str, Callable[[Path, str, int], Measured]] = {
    "decode": decode_alone,
    "engine": engine_alone,
    "worker": worker,
    "loop": loop,
}


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def apart(what: str, clip: Path, model: str, cameras: int) -> Measured:
    """Measures in a process of its own, so that no figure holds another's memory or caches."""
    options = {"--measure": what, "--clip": str(clip), "--model": model, "--cameras": str(cameras)}
    command = [sys.executable, __file__, *(word for option in options.items() for word in option)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def ultralytics(clip: Path, model: str, cameras: int) -> Measured | None:
    """Measures Ultralytics, if it is there."""
    python = os.environ.get("ULTRALYTICS_PYTHON")
    if not python:
        return None
    file, width, height = model_file(model)
    script = str(Path(__file__).with_name("peer_ultralytics.py"))
    arguments = [str(clip), str(file), str(cameras), str(LOOP_FRAMES), f"[{height},{width}]"]
    done = subprocess.run([python, script, *arguments], check=False, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None


def compare(clip: Path, model: str, counts: list[int], console: Console) -> None:
    """Prints the worker beside its limit and beside the loop."""
    decode = apart("decode", clip, model, 8)
    engine = apart("engine", clip, model, 1)
    limit = 1 / (1 / decode.rate + 1 / engine.rate)
    console.print(f"clip {clip.name}, model {model}")
    console.print(f"decode alone {decode.rate:.0f}/s, engine alone {engine.rate:.0f}/s, limit {limit:.0f}/s")
    table = Table("cameras", "worker/s", "of limit", "own ms/frame", "loop/s", "worker / loop", "worker / Ultralytics")
    for count in counts:
        ours, theirs = apart("worker", clip, model, count), apart("loop", clip, model, count)
        peer = ultralytics(clip, model, count)
        own = ours.cpu_each - decode.cpu_each - engine.cpu_each
        table.add_row(
            str(count),
            f"{ours.rate:.0f}",
            f"{ours.rate / limit:.2f}",
            f"{own * 1000:.2f}",
            f"{theirs.rate:.0f}",
            f"{ours.rate / theirs.rate:.1f} x",
            f"{ours.rate / peer.rate:.1f} x" if peer else "not there",
        )
    console.print(table)


def main() -> None:
    """Parses the arguments and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--clip",
        type=lambda text: Path(text).resolve(),
        help="the clip that every camera reads; a rendered street when left out",
    )
    parser.add_argument("--model", default="zoo:street-v1", help="the detector")
    parser.add_argument("--cameras", default="1,8,32", help="numbers of cameras")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measured = MEASURES[arguments.measure](arguments.clip, arguments.model, int(arguments.cameras))
        print(json.dumps(asdict(measured)))
        return
    compare(arguments.clip, arguments.model, [int(n) for n in arguments.cameras.split(",")], Console())


if __name__ == "__main__":
    main()

"""The chaos: cameras film, workers share them, everything fails now and then, and in the end nothing may be missing."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferfleet.localcloud import cloud as localcloud
from tests.chaos.film import PERIOD_SECONDS, detector, film, truths
from tests.chaos.judge import Death, Verdict, Witness, is_complete, judge, takeovers, wait_until
from tests.chaos.stage import BUCKET, LEASES, STREAM, TABLE, Camera, Crew, Services
from tests.chaos.trouble import Troublemaker
from tests.localcloud.delivery.cloud import Proxy

_RECOVERY_SECONDS = 240.0
"""How long after the last fault everything may take to arrive; most of it is the start of workers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it.

    Attributes:
        seconds: How long the cameras film and things go wrong.
        cameras: How many streams.
        workers: How many workers.
        lease: Duration of a lease in seconds.
        every: Mean seconds between two troubles.
        seed: Decides what goes wrong when.
    """

    seconds: int = 300
    cameras: int = 8
    workers: int = 3
    lease: float = 10.0
    every: float = 4.0
    seed: int = 1


def run(plan: Plan, folder: Path, say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)) -> Verdict:
    """Lets it happen in a folder, and judges."""
    cameras = [f"cam-{n}" for n in range(plan.cameras)]
    recording = film(folder / "film.mp4", plan.seconds)
    cloud = localcloud.start(folder / "cloud", port=0, kvs_port=0)
    services = Services(cloud)
    proxy = Proxy(cloud.services["aws"].url)
    proxy._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it hangs up on purpose
    environment = {**cloud.environment(), "AWS_ENDPOINT_URL": proxy.url, "OMP_NUM_THREADS": "1"}
    crew = Crew(folder, _configuration(plan, cameras, detector(folder / "squares.onnx")), environment, random.Random(7))
    try:
        services.prepare(cameras)
        witness = Witness(services)
        for number in range(plan.workers):
            crew.start(number)
        wait_until(lambda: len(witness.epochs) == plan.cameras, _RECOVERY_SECONDS)
        say(f"{plan.workers} workers have {len(witness.epochs)} cameras; {plan.seconds} s of trouble begin")
        account, now = services.account(), time.time()
        filming = [
            Camera(name, account, recording, now + n * PERIOD_SECONDS / plan.cameras) for n, name in enumerate(cameras)
        ]
        injected, deaths = _trouble(plan, crew, services, proxy, cameras)
        for camera in filming:
            camera.thread.join()
            if camera.failure is not None:
                raise camera.failure
        expected = plan.cameras * len(truths(plan.seconds))
        say(f"filming and trouble are over; waiting for {expected} events")
        wait_until(lambda: is_complete(services.records(), services.items(), expected), _RECOVERY_SECONDS)
        codes = crew.end()
        witness.stop()
        say(f"workers were started {crew.starts} times; the last ones ended with {codes}")
        truth = truths(plan.seconds)
        films = {camera.name: (camera.start, truth) for camera in filming}
        verdict = judge(injected, films, services.records(), services.items(), witness.epochs)
        verdict.takeovers = takeovers(deaths, witness.epochs, witness.times, witness.beats, plan.lease)
        return verdict
    finally:
        crew.end()
        proxy.close()
        localcloud.stop(folder / "cloud")


def _trouble(
    plan: Plan, crew: Crew, services: Services, proxy: Proxy, cameras: list[str]
) -> tuple[Counter[str], list[Death]]:
    troublemaker = Troublemaker(crew, services, proxy, cameras, lease=plan.lease, seed=plan.seed)
    chance = random.Random(plan.seed)
    until = time.monotonic() + plan.seconds
    due = time.monotonic() + plan.every
    while time.monotonic() < until:
        time.sleep(0.1)
        crew.tend()
        if time.monotonic() >= due:
            troublemaker.strike()
            due = time.monotonic() + chance.uniform(0.5, 1.5) * plan.every
    troublemaker.calm()
    return troublemaker.injected + services.video_faults(), troublemaker.deaths


def _configuration(plan: Plan, cameras: list[str], model: Path) -> dict[str, Any]:
    return {
        "models": {"squares": {"path": str(model), "engine": "onnxruntime"}},
        "defaults": {"mode": "complete", "confirm": {"frames": 3, "within": 5}, "steps": [{"detect": {}}]},
        "cameras": [
            {"id": name, "source": {"stream": name, "start": "earliest", "timeout": 5}, "tracking": {"max_gap": 1.0}}
            for name in cameras
        ],
        "sinks": [
            {"kinesis": STREAM},
            {"dynamodb": {"table": TABLE, "create": True}},
            {"s3": {"bucket": BUCKET}},
        ],
        "workers": {"leases": {"table": LEASES, "create": True, "duration": plan.lease}},
    }

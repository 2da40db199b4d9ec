"""The server beside its peers, all in one run on one machine: `make bench-serving`.

    python benchmarks/serving.py [--seconds 10] [--only engine,ours,peers,seed,noop,overload,memory] [--requests 1000]

The peers live in environments of their own below `--peers` (made on the first run; the tutorial's needs torch, some
700 MB). The load comes from another process on the same cores, so that ratios matter and absolute figures do not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import venv
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from serving_parts import resnet50

PARTS = Path(__file__).parent / "serving_parts"
PACKAGES = {
    "litserve": ["litserve", "openvino", "simplejpeg", "numpy", "opencv-python-headless"],
    "mosec": ["mosec", "openvino", "simplejpeg", "numpy", "opencv-python-headless"],
    "seed": ["flask", "gunicorn", "pillow", "numpy", "torch"],
}
PEERS = {"litserve batch", "litserve workers", "mosec stages", "mosec workers"}
CONNECTIONS = (16, 64)
DEADLINE = 1.0
"""Seconds that a request of the overload may take, as its X-Request-Timeout says."""


class Bench:
    """One run: where its files are, and what it has found."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.model = resnet50.write(folder / "resnet50.onnx")
        self.picture = folder / "picture.jpg"
        self.picture.write_bytes(jpeg())
        self.rates: dict[str, float] = {}
        self.costs: dict[str, float] = {}
        self.session = 0

    def python(self, peer: str) -> str:
        """A peer's interpreter, its environment made where it is missing."""
        place = self.options.peers / peer
        if not (place / "bin" / "python").exists():
            print(f"-- making the environment of {peer} in {place}", flush=True)
            venv.create(place, with_pip=True)
            subprocess.run([place / "bin" / "pip", "install", "-q", *PACKAGES[peer]], check=True)
        return str(place / "bin" / "python")

    def load(self, port: int, *arguments: object, **options: object) -> dict:
        """Runs the load generator and returns its report."""
        named = {"body": self.picture, "seconds": self.options.seconds, **options}
        words = [word for key, value in named.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, str(PARTS / "load.py"), "--port", str(port), *map(str, arguments), *words]
        before = cpu_seconds(self.session)
        report = dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        report["cpu_ms"] = 1000 * (cpu_seconds(self.session) - before) / max(1, report["done"])
        return report

    @contextlib.contextmanager
    def ours(self, **config: object) -> Iterator[int]:
        """Our server on the model."""
        settings = {"models": {"resnet50": str(self.model)}, "host": "127.0.0.1", "watch": False, **config}
        port = free_port()
        file = self.folder / f"serve-{port}.yaml"
        file.write_text(json.dumps({**settings, "port": port}))
        command = [sys.executable, "-m", "inferfleet", "serve", "--config", str(file), "--log-level", "WARNING"]
        with running(command, port, "/ready") as child:
            self.session = child.pid
            yield port

    @contextlib.contextmanager
    def peer(self, name: str) -> Iterator[tuple[int, dict]]:
        """A peer's server, and how it is asked."""
        port = free_port()
        environment = {**os.environ, "MODEL": str(self.model), "PYTHONPATH": str(PARTS)}
        package, _, kind = name.partition(" ")
        python = self.python(package)
        asked: dict = {}
        if package == "litserve":
            command = [python, str(PARTS / "litserve_peer.py"), str(port), kind]
            body = self.folder / "picture.json"
            body.write_text(json.dumps({"image": b64encode(self.picture.read_bytes()).decode()}))
            asked = {"body": body, "type": "application/json"}
        elif package == "mosec":
            command = [python, str(PARTS / "mosec_peer.py"), "--port", str(port), "--timeout", "60000"]
            environment["KIND"] = kind
            asked = {"path": "/inference"}
        else:
            gunicorn = [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"]
            command = [*gunicorn, "--timeout", "60", "--keep-alive", "75", "seed_app:app"]
            asked = {"body": self.form(), "type": "multipart/form-data; boundary=x"}
        with running(command, port, None, environment) as child:
            self.session = child.pid
            yield port, asked

    def form(self) -> Path:
        """The picture as curl -F sends it."""
        head = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        file = self.folder / "form"
        file.write_bytes(head + self.picture.read_bytes() + b"\r\n--x--\r\n")
        return file

    def note(self, name: str, report: dict) -> None:
        """Prints a line and keeps the rate."""
        good = report["statuses"].get("200", {"per_second": 0.0, "p50": 0, "p99": 0})
        others = {status: found["count"] for status, found in report["statuses"].items() if status != "200"}
        self.rates[name] = good["per_second"]
        self.costs[name] = report["cpu_ms"]
        told = f"  other: {others}" if others else ""
        told = f"  cpu {report['cpu_ms']:.3f} ms each{told}"
        print(
            f"{name:34}{good['per_second']:10.1f}/s   p50 {good['p50']:7.1f} ms   p99 {good['p99']:7.1f} ms{told}",
            flush=True,
        )


def main() -> None:
    """Runs what was asked for, and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", default="engine,ours,peers,seed,noop,overload,memory")
    parser.add_argument("--requests", type=int, default=1_000_000, help="how long memory is watched")
    parser.add_argument("--peers", type=Path, default=Path("out/peers"))
    options = parser.parse_args()
    options.peers = options.peers.absolute()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options)
        print(f"ResNet50, random weights; a JPEG of {bench.picture.stat().st_size} bytes; {os.cpu_count()} cores\n")
        for part in options.only.split(","):
            {
                "engine": engine,
                "ours": ours,
                "peers": peers,
                "seed": seed,
                "noop": noop,
                "overload": overload,
                "memory": memory,
            }[part](bench)
        verdicts(bench)


def engine(bench: Bench) -> None:
    """The engine and the decoder, each alone on all cores."""
    from inferfleet import logs
    from inferfleet.config.model import ModelConfig
    from inferfleet.vision import loader
    from inferfleet.vision.picture import Still

    logs.set_up("WARNING")
    model = loader.load_classifier(ModelConfig(path=str(bench.model)))
    data = bench.picture.read_bytes()
    prepared = [model.prepare(Still.decode(data, fast=True))]
    workers = max(model.workers, os.cpu_count() or 1)
    bench.rates["engine"] = rate(lambda: model.classify(prepared), model.workers, bench.options.seconds)
    bench.rates["decode"] = rate(
        lambda: model.prepare(Still.decode(data, fast=True)), workers, bench.options.seconds / 2
    )
    both = 1 / (1 / bench.rates["engine"] + 1 / bench.rates["decode"])
    bench.rates["allowed"] = both
    print(f"engine alone ({model.engine.name}, {model.engine.precision})".ljust(44) + f"{bench.rates['engine']:.1f}/s")
    print(f"{'decode and scale alone':44}{bench.rates['decode']:.1f}/s")
    print(f"{'both together allow':44}{both:.1f}/s\n", flush=True)


def ours(bench: Bench) -> None:
    """Our server, as it is without any tuning."""
    with bench.ours(queue={"max_wait": 10}) as port:
        for connections in CONNECTIONS:
            bench.note(f"inferfleet, {connections} connections", bench.load(port, connections=connections))


def peers(bench: Bench) -> None:
    """LitServe and mosec in two arrangements each."""
    for name in sorted(PEERS):
        with bench.peer(name) as (port, asked):
            for connections in CONNECTIONS:
                bench.note(f"{name}, {connections} connections", bench.load(port, connections=connections, **asked))


def seed(bench: Bench) -> None:
    """The tutorial's way."""
    with bench.peer("seed") as (port, asked):
        bench.note("seed, 16 connections", bench.load(port, connections=16, **asked))


def noop(bench: Bench) -> None:
    """A model that does nothing, small bodies, 32 connections."""
    small = bench.folder / "small"
    small.write_bytes(bytes(100))
    port = free_port()
    with running([sys.executable, str(PARTS / "noop.py"), str(port)], port, "/ready") as child:
        bench.session = child.pid
        bench.note("no-op: inferfleet", bench.load(port, connections=32, body=small))
    tiny = bench.folder / "tiny.json"
    tiny.write_text(json.dumps({"image": "a" * 86}))
    with bench.peer("litserve noop") as (port, asked):
        bench.note("no-op: litserve", bench.load(port, connections=32, **{**asked, "body": tiny}))


def overload(bench: Bench) -> None:
    """Three times what the server can do, each request with a deadline of a second."""
    with bench.ours(queue={"max_wait": 0.5}) as port:
        peak = bench.load(port, connections=16)["statuses"]["200"]["per_second"]
        header = f"X-Request-Timeout: {DEADLINE}"
        report = bench.load(port, "--header", header, rate=3 * peak, connections=64, deadline=DEADLINE)
    found = report["statuses"]
    good, refused = found.get("200", {}), found.get("429", {})
    goodput = (good.get("count", 0) - good.get("late", 0)) / report["seconds"]
    bench.rates["goodput"], bench.rates["peak"] = goodput, peak
    bench.rates["accepted p99"], bench.rates["refused most"] = good.get("p99", 0), refused.get("most", 0)
    print(f"\noverload: {3 * peak:.0f}/s offered, peak {peak:.0f}/s, in time {goodput:.0f}/s")
    print(f"  accepted: p50 {good.get('p50')} ms, p99 {good.get('p99')} ms, deadline {DEADLINE * 1000:.0f} ms")
    print(
        f"  refused: {refused.get('count', 0)}, p50 {refused.get('p50')} ms, p99 {refused.get('p99')} ms, "
        f"slowest {refused.get('most')} ms"
    )
    print(
        f"  others: { {status: one['count'] for status, one in found.items() if status not in ('200', '429')} }",
        flush=True,
    )


def memory(bench: Bench) -> None:
    """The server's memory over many requests."""
    port = free_port()
    with running([sys.executable, str(PARTS / "noop.py"), str(port)], port, "/ready") as child:
        pid = bench.session = child.pid
        samples: list[float] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(1):
                samples.append(resident(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        report = bench.load(port, connections=32, requests=bench.options.requests, seconds=3600)
        stop.set()
        watcher.join()
    early, late = samples[len(samples) // 10], samples[-1]
    done = report["statuses"]["200"]["count"]
    bench.rates["growth"] = late - early
    print(f"\nmemory over {done} requests: {early:.1f} MiB after a tenth, {late:.1f} MiB at the end", flush=True)


def verdicts(bench: Bench) -> None:
    """The ratios that matter, each with what it should be."""
    rates = bench.rates
    print()

    def verdict(what: str, value: float | None, wanted: float, *, at_most: bool = False) -> None:
        if value is not None:
            held = value <= wanted if at_most else value >= wanted
            print(
                f"{'holds' if held else 'FALLS SHORT':12}{what}: {value:.2f} "
                f"(wanted {'at most' if at_most else 'at least'} {wanted:g})"
            )

    def ratio(top: str, *bottom: str) -> float | None:
        known = [rates[name] for name in bottom if rates.get(name)]
        return rates[top] / max(known) if top in rates and known else None

    for connections in CONNECTIONS:
        us = f"inferfleet, {connections} connections"
        verdict(f"{us}, of what engine and decode allow", ratio(us, "allowed"), 0.85)
        verdict(f"{us}, to the best peer", ratio(us, *(f"{name}, {connections} connections" for name in PEERS)), 1.05)
    verdict("to the seed's way", ratio("inferfleet, 16 connections", "seed, 16 connections"), 8)

    def cost(top: str, bottom: str) -> float | None:
        return bench.costs[bottom] / bench.costs[top] if top in bench.costs and bottom in bench.costs else None

    verdict("no-op, CPU time a request, LitServe to us", cost("no-op: inferfleet", "no-op: litserve"), 15)
    verdict("no-op, to LitServe", ratio("no-op: inferfleet", "no-op: litserve"), 15)
    verdict("overload: goodput to peak", ratio("goodput", "peak"), 0.9)
    verdict("overload: slowest refusal, ms", rates.get("refused most"), 50, at_most=True)
    verdict("overload: p99 of the accepted, ms", rates.get("accepted p99"), 1000 * DEADLINE, at_most=True)
    verdict("memory: growth, MiB", rates.get("growth"), 5, at_most=True)


def rate(work, threads: int, seconds: float) -> float:
    """How often so many threads can do something in a second."""
    work()
    end = time.perf_counter() + seconds
    counts = [0] * threads

    def loop(index: int) -> None:
        while time.perf_counter() < end:
            work()
            counts[index] += 1

    running_threads = [threading.Thread(target=loop, args=(index,)) for index in range(threads)]
    for thread in running_threads:
        thread.start()
    for thread in running_threads:
        thread.join()
    return sum(counts) / seconds


@contextlib.contextmanager
def running(
    command: list[str], port: int, probe: str | None, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """Runs a server in a session of its own until the block ends; waits until it answers."""
    child = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=PARTS,
    )
    try:
        wait_for(child, port, probe)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def wait_for(child: subprocess.Popen, port: int, probe: str | None) -> None:
    """Waits until a server answers."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if child.poll() is not None:
            raise SystemExit(f"{child.args} ended with {child.returncode}")
        with contextlib.suppress(OSError):
            if probe is not None:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=5).read()
                return
            socket.create_connection(("127.0.0.1", port), 5).close()
            time.sleep(3)  # open is not yet ready for these; the load's warm-up does the rest
            return
        time.sleep(0.2)
    raise SystemExit(f"{child.args} does not answer")


def resident(pid: int) -> float:
    """A process's memory in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(session: int) -> float:
    """The CPU time that the processes of a session have used: a measure that other work on the machine hardly moves."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that is free at present."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def jpeg() -> bytes:
    """A picture of 500 x 375 with as much detail as makes about 30 KB."""
    random = np.random.default_rng(0)
    blobs = cv2.resize(random.integers(0, 256, (38, 50, 3), dtype=np.uint8), (500, 375), interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, 6, blobs.shape)
    picture = np.clip(blobs + noise, 0, 255).astype(np.uint8)
    return min(
        (cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, q])[1].tobytes() for q in range(30, 96, 3)),
        key=lambda d: abs(len(d) - 30_000),
    )


if __name__ == "__main__":
    main()

"""Builds an image of inferfleet from this repository, and says how large it is and of what.

Run: `python docker/build.py --target cpu --tag inferfleet:cpu`; `make image` does. Any `docker build` of the Dockerfile
makes the same image: what this adds is the revision as a label, this machine's package index (where pip is set up with
one that containers can reach), a lock, and doing nothing when nothing changed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKERFILE = "docker/Dockerfile"
INGREDIENTS = (DOCKERFILE, "docker/requirements.py", "docker/slim.py", "LICENSE", "README.md", "pyproject.toml", "src")
"""What an image is made of; .dockerignore lets the same in."""

SOURCE_LABEL = "io.inferfleet.source"
_REVISION_LABEL = "org.opencontainers.image.revision"
_SETTINGS = {
    "PIP_INDEX_URL": "global.index-url",
    "PIP_EXTRA_INDEX_URL": "global.extra-index-url",
    "PIP_TRUSTED_HOST": "global.trusted-host",
}
"""The Dockerfile's arguments for pip, and pip's own names of them."""


def digest(root: Path = ROOT) -> str:
    """SHA-256 of all that the images are made of, so that an image can tell whether it is of today."""
    total = hashlib.sha256()
    for name in INGREDIENTS:
        path = root / name
        files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for file in files if path.is_dir() else [path]:
            total.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return total.hexdigest()


def label(image: str, name: str) -> str | None:
    """A label of an image; None when there is no such image or label."""
    asked = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{name}"}}}}', image]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None if done.returncode == 0 else None


def command(target: str, tag: str, source: str, network: str | None, arguments: Iterable[str]) -> list[str]:
    """The `docker build` that makes an image.

    Of the build's arguments only the names: docker takes their values from the environment. An index's address may
    hold a password, and a command line can be read by everyone.
    """
    words = ["docker", "build", "--file", DOCKERFILE, "--target", target, "--tag", tag]
    words += ["--label", f"{SOURCE_LABEL}={source}"]
    if revision := _revision():
        words += ["--label", f"{_REVISION_LABEL}={revision}"]
    if network:
        words += ["--network", network]
    for name in arguments:
        words += ["--build-arg", name]
    return [*words, "."]


def pip_settings() -> dict[str, str]:
    """Where this machine's pip gets its packages, as far as a container can get them there too."""
    found = {}
    for variable, name in _SETTINGS.items():
        value = os.environ.get(variable) or _configured(name)
        reachable = " ".join(word for word in value.split() if not word.startswith(("file:", "/", ".")))
        if reachable:
            found[variable] = reachable
    return found


def _configured(name: str) -> str:
    asked = [sys.executable, "-m", "pip", "config", "get", name]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _revision() -> str | None:
    if shutil.which("git") is None:
        return None
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None


def _buildkit() -> str:
    """BuildKit where its plugin is there, else the engine's builder: as `inferfleet deploy`, to share its cache."""
    found = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False)
    return "1" if found.returncode == 0 else "0"


def report(tag: str) -> str:
    """An image's size, and what it is made of."""
    asked = ["docker", "history", "--human=false", "--no-trunc", "--format", "{{json .}}", tag]
    layers = [json.loads(line) for line in subprocess.check_output(asked, text=True).splitlines()]
    sizes = [int(layer["Size"]) for layer in layers]
    whole = sum(sizes)
    largest = sorted(sizes, reverse=True)[:3]
    parts = " + ".join(f"{size / 1e6:.0f}" for size in largest)
    return f"{tag}  {whole / 1e6:.0f} MB; its largest layers {parts} MB"


@contextmanager
def _alone() -> Iterator[None]:
    """Builds of one machine one after the other: the second finds what the first has made."""
    path = Path(tempfile.gettempdir()) / f"inferfleet-image-{os.getuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Builds what the command line asks for; the exit code is that of `docker build`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="cpu", choices=("cpu", "gpu", "local"), help="which image [cpu]")
    parser.add_argument("--tag", help="its name [inferfleet:TARGET]")
    parser.add_argument("--network", help="network of the build, such as host where containers cannot reach the index")
    parser.add_argument("--if-changed", action="store_true", help="leave an image alone that has this source already")
    options = parser.parse_args()
    tag = options.tag or f"inferfleet:{options.target}"
    with _alone():
        source = digest()
        if options.if_changed and label(tag, SOURCE_LABEL) == source:
            print(f"{tag} is up to date")
            return 0
        began = time.monotonic()
        settings = pip_settings()
        words = command(options.target, tag, source, options.network, settings)
        environment = {**os.environ, **settings, "DOCKER_BUILDKIT": _buildkit()}
        done = subprocess.run(words, cwd=ROOT, env=environment, check=False)
        if done.returncode == 0:
            print(f"{report(tag)}; built in {time.monotonic() - began:.0f} s")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

"""Gives this machine what the tests of containers need, as far as that is possible: `make test` runs it first.

That is a Docker engine, the base image that docker/Dockerfile names, our images on it, and the CDK's command line. An
engine that runs is used; one that is installed is started; none at all is installed from Debian, as root. The base is
pulled, and where nothing can be pulled it is made with debootstrap: the same Debian, Debian's own Python. Whatever is
missing is said loudly and skipped, as the tests that need it will be: this never ends with an error.

    python tools/docker_engine.py         INFERFLEET_NO_DOCKER=1 leaves Docker out, whatever is there
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = {"cpu": "inferfleet:cpu-test", "local": "inferfleet:local-test"}
PACKAGES = ("docker.io", "iptables", "debootstrap")
CDK = ROOT / ".venv" / "cdk"
CDK_PACKAGE = "aws-cdk@2"

_START_S = 60.0
_UNREADABLE = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")
"""What python:slim does not have either."""


class Missing(Exception):
    """Something that the tests of containers need cannot be had here; the text says what, and what to do."""


def main() -> None:
    """Prepares Docker and the CDK side by side, and says what came of each."""
    cdk = threading.Thread(target=_attempt, args=("CDK", install_cdk))
    cdk.start()
    if os.environ.get("INFERFLEET_NO_DOCKER"):
        _say("Docker", "left out, as INFERFLEET_NO_DOCKER says; the tests of containers are SKIPPED")
    else:
        with (Path(tempfile.gettempdir()) / f"inferfleet-engine-{os.getuid()}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _attempt("Docker engine", start_engine):
                _attempt("compose", find_compose)
                _ = _attempt("base image", make_base) and _attempt("images", build)
    cdk.join()


def _attempt(what: str, step: Callable[[], str]) -> bool:
    began = time.monotonic()
    try:
        came = step()
    except Missing as missing:
        _say(what, f"SKIPPED, and the tests that need it will be: {missing}")
        return False
    except (OSError, subprocess.SubprocessError) as error:
        _say(what, f"SKIPPED, and the tests that need it will be: {_reason(error)}")
        return False
    _say(what, f"{came} ({time.monotonic() - began:.0f} s)")
    return True


def start_engine() -> str:
    """An engine that answers; installed and started where there is none."""
    if answers():
        return "runs"
    if os.environ.get("DOCKER_HOST"):
        raise Missing(f"nothing answers at DOCKER_HOST={os.environ['DOCKER_HOST']}")
    if os.geteuid() != 0:
        raise Missing("no Docker engine answers, and only root may install or start one; start it, or run this as root")
    if shutil.which("dockerd") is None:
        install(PACKAGES)
    if not answers():
        _start_dockerd()
    return "started"


def answers() -> bool:
    """Whether a Docker engine answers."""
    return shutil.which("docker") is not None and _quietly("docker", "info").returncode == 0


def install(packages: Sequence[str]) -> None:
    """Installs packages of Debian.

    Raises:
        Missing: This is no Debian, or its packages cannot be had.
    """
    if shutil.which("apt-get") is None:
        raise Missing(f"{', '.join(packages)} are not installed, and there is no apt-get; install them")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
    # Lists of packages may be missing or old; only then are they fetched.
    if _quietly(*words, env=quiet).returncode != 0:
        _run("apt-get", "update", "--quiet=2")
        _run(*words, env=quiet)


def _start_dockerd() -> None:
    log = Path(tempfile.gettempdir()) / "inferfleet-dockerd.log"
    with log.open("wb") as output:
        # A session of its own: it outlives make, as a service would.
        daemon = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    until = time.monotonic() + _START_S
    while not answers():
        if daemon.poll() is not None or time.monotonic() > until:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise Missing(f"dockerd does not start; the end of {log}:\n{end}")
        time.sleep(0.2)


def find_compose() -> str:
    """The compose command, as a plugin or as a program of its own."""
    if _quietly("docker", "compose", "version").returncode == 0:
        return "docker compose is there"
    if shutil.which("docker-compose") is None:
        if os.geteuid() != 0:
            raise Missing("neither docker compose nor docker-compose is installed")
        install(["docker-compose"])
    return "docker-compose is there"


def make_base() -> str:
    """The image that the Dockerfile begins from: the one that is there, else pulled, else made of Debian's packages."""
    name = base_name()
    if _quietly("docker", "image", "inspect", name).returncode == 0:
        return f"{name} is there"
    if _quietly("docker", "pull", name).returncode == 0:
        return f"{name} pulled"
    if os.geteuid() != 0:
        raise Missing(f"{name} cannot be pulled, and only root may make one with debootstrap")
    if shutil.which("debootstrap") is None:
        install(["debootstrap"])
    with tempfile.TemporaryDirectory(prefix="inferfleet-base-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "root"
        suite = name.rpartition("-")[2]
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates,python3,python3-pip", suite, str(root))
        _finish(root)
        _import(root, name)
    return f"{name} made with debootstrap"


def base_name() -> str:
    """The base image that the Dockerfile names."""
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise Missing("docker/Dockerfile has no line ARG PYTHON_IMAGE=…")
    return found[1]


def _finish(root: Path) -> None:
    """Names the interpreter as python:slim does, trusts whom this machine trusts, and drops what slim images drop."""
    (root / "usr/bin/python").symlink_to("python3")
    trusted = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    if trusted.is_file():
        shutil.copyfile(trusted, root / "etc/ssl/certs/ca-certificates.crt")
    for name in _UNREADABLE:
        for path in (root / name).glob("*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _import(root: Path, name: str) -> None:
    changes = ["--change", 'CMD ["python3"]', "--change", "ENV LANG=C.UTF-8"]
    with subprocess.Popen(["tar", "--directory", str(root), "--create", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run(["docker", "import", *changes, "-", name], stdin=archive.stdout, check=True, capture_output=True)


def build() -> str:
    """Our images, which the tests start."""
    script = str(ROOT / "docker" / "build.py")
    reports = []
    for target, tag in IMAGES.items():
        done = _run(sys.executable, script, "--target", target, "--tag", tag, "--if-changed")
        reports.append(done.stdout.strip().splitlines()[-1])
    return "\n               ".join(reports)


def install_cdk() -> str:
    """The CDK's command line, where neither the machine nor the environment has one."""
    if found := shutil.which("cdk"):
        return f"{found} is there"
    program = CDK / "node_modules" / ".bin" / "cdk"
    if program.exists():
        return f"{program.relative_to(ROOT)} is there"
    if shutil.which("npm") is None:
        raise Missing("neither cdk nor npm is installed; install Node.js 20 or newer")
    _run("npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(CDK), CDK_PACKAGE)
    return f"{program.relative_to(ROOT)} installed"


def _quietly(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, env=env)


def _run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=True, env=env)


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        printed = f"{error.stdout or ''}\n{error.stderr or ''}".strip().splitlines()[-8:]
        return f"{error.cmd[0]} ended with {error.returncode}:\n" + "\n".join(printed)
    return str(error)


def _say(what: str, text: str) -> None:
    print(f"{what:<14} {text}", flush=True)


if __name__ == "__main__":
    main()

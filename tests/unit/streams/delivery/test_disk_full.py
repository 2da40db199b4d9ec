from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]
PACKAGE = "tests.unit.streams.delivery"


def test_cameras_wait_while_the_disk_refuses_and_go_on_afterwards(tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.disk_refuses_child", str(tmp_path / "spool")]
    child = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines()[-1] == "done"


@pytest.mark.parametrize("megabytes", [24, 32, 48])
def test_a_full_disk_gets_free_by_delivering(tmp_path: Path, megabytes: int) -> None:
    mount = f"mount -t tmpfs -o size={megabytes}m none {tmp_path}"
    enter = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*enter, mount], capture_output=True, check=False).returncode:
        pytest.skip("needs a file system of its own, and this user may not mount one")
    script = f"{mount} && exec {sys.executable} -m {PACKAGE}.disk_full_child {tmp_path}"
    child = subprocess.run([*enter, script], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert child.returncode == 0, child.stderr
    assert "delivered 120, checkpoint kept" in child.stdout

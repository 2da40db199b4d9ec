import os
import subprocess
import sys

import pytest

from inferfleet.config import inline
from inferfleet.errors import InputError

TEXT = "cameras:\n  - {id: gate, source: rtsp://10.0.0.5/live}  # ${LEFT_ALONE} and é\n"


def test_a_packed_configuration_comes_out_as_it_went_in():
    assert inline.unpack(inline.pack(TEXT)) == TEXT


def test_packing_is_the_same_every_time_so_that_an_unchanged_configuration_deploys_nothing():
    assert inline.pack(TEXT) == inline.pack(TEXT)


@pytest.mark.parametrize("data", ["no base64!", "aGVsbG8=", inline.pack("x" * 5_000_000), inline.pack(TEXT)[:40]])
def test_what_is_no_configuration_is_told_with_the_variables_name(data):
    with pytest.raises(InputError, match="CONFIG_DATA"):
        inline.unpack(data)


def test_the_environments_configuration_becomes_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(inline.VARIABLE, inline.pack(TEXT))
    path = inline.config_file("cameras.yaml")
    assert path is not None
    assert path.read_text() == TEXT
    assert path.name == "cameras.yaml"
    assert inline.config_file("cameras.yaml") == path


def test_without_the_variable_there_is_none(monkeypatch):
    monkeypatch.delenv(inline.VARIABLE, raising=False)
    assert inline.config_file("cameras.yaml") is None


@pytest.mark.parametrize(("command", "file"), [("run", "cameras.yaml"), ("serve", "serve.yaml")])
def test_the_programs_read_the_environments_configuration(tmp_path, command, file):
    environment = {**os.environ, "TMPDIR": str(tmp_path), inline.VARIABLE: inline.pack("models: {m: {path: 5}}\n")}
    environment = {name: value for name, value in environment.items() if name not in ("CONFIG_FILE", "SERVE_CONFIG")}
    done = subprocess.run(
        [sys.executable, "-c", "from inferfleet.cli.main import main; main()", command],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"inferfleet-config/{file}:1:" in done.stderr

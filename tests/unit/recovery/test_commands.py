"""`inferfleet recovery simulate`, and what the other commands say when there is nothing to talk to."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from inferfleet.cli.main import build
from inferfleet.errors import InputError


def _run(*arguments: str):
    return CliRunner().invoke(build(arguments[0]), list(arguments))


def test_simulate_prints_json_and_writes_its_report(tmp_path):
    report = tmp_path / "report.html"
    result = _run("recovery", "simulate", "--nodes", "8", "--days", "1", "--json", "--html", str(report))
    assert result.exit_code == 0, result.output
    outcome = json.loads(result.stdout)
    assert outcome["limits_broken"] == 0
    assert report.read_text().startswith("<!doctype html>")


def test_simulate_names_an_unknown_profile_and_those_that_there_are():
    result = _run("recovery", "simulate", "--profile", "doom")
    assert isinstance(result.exception, InputError)
    assert "llama3" in str(result.exception)


@pytest.mark.parametrize("command", [("recovery", "status"), ("jobs", "list")])
def test_without_a_cluster_the_way_out_is_named(command, monkeypatch):
    monkeypatch.delenv("ECS_CLUSTER_NAME", raising=False)
    result = _run(*command)
    assert "--cluster" in str(result.exception)


def test_a_job_name_that_ecs_would_not_take_is_refused():
    result = _run("jobs", "run", "no spaces", "-t", "train", "--cluster", "c")
    assert "64 letters" in str(result.exception)

"""`inferfleet recovery simulate`, and what the other commands say when there is nothing to talk to."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inferfleet.cli.main import build
from inferfleet.config.fleet_system import Recovery
from inferfleet.errors import InputError, OutsideError
from inferfleet.recovery.core.policy import Policy


def _run(*arguments: str):
    return CliRunner().invoke(build(arguments[0]), list(arguments))


def test_simulate_prints_json_and_writes_its_report(tmp_path):
    report = tmp_path / "report.html"
    result = _run("recovery", "simulate", "--nodes", "8", "--days", "1", "--json", "--html", str(report))
    assert result.exit_code == 0, result.output
    outcome = json.loads(result.stdout)
    assert outcome["limits_broken"] == 0
    assert report.read_text().startswith("<!doctype html>")


def test_simulate_decides_by_the_limits_that_the_lambdas_would(monkeypatch):
    monkeypatch.setenv("RECOVERY_POLICY", '{"dry_run": true}')
    result = _run("recovery", "simulate", "--nodes", "32", "--days", "4", "--profile", "storm", "--json")
    outcome = json.loads(result.stdout)
    assert outcome["settings"]["policy"]["dry_run"] is True
    assert (outcome["reboots"], outcome["replacements"]) == (0, 0)


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


@pytest.mark.parametrize("words", [["recovery", "status"], ["recovery", "drain", "i-1"], ["jobs", "list"]])
def test_an_aws_that_does_not_answer_is_told_in_a_line_with_a_way_out(words, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    result = _run(*words, "--cluster", "gpu")
    assert isinstance(result.exception, OutsideError)
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:1" in str(result.exception)


def test_a_missing_region_is_asked_for(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    result = _run("recovery", "status", "--cluster", "gpu")
    assert isinstance(result.exception, InputError)
    assert "set AWS_REGION" in str(result.exception)


def test_the_guide_names_limits_and_settings_that_there_are():
    guide = (Path(__file__).parents[3] / "docs" / "recovery.md").read_text()
    tuning = guide.split("## Tuning")[1].split("## Permissions")[0]
    limits = {
        name for row in re.findall(r"^\| (`.+?) \|", tuning, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert len(limits) > 15
    assert limits <= {item.name for item in fields(Policy)}
    settings = guide.split("## Settings")[1].split("## Tuning")[0]
    assert [name for name in Recovery.model_fields if f"`{name}`" not in settings] == []

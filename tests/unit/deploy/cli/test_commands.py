"""The commands as users call them: the real program, its output and its exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[4]


def run(*arguments, cwd=REPOSITORY):
    script = "from inferfleet.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_validate_exits_with_1_on_errors_and_0_without(tmp_path):
    (tmp_path / "a.sh").write_text("aws ecs create-cluster --tags Key=a,Value=b\n")
    done = run("validate", tmp_path)
    assert done.returncode == 1
    assert "a.sh:1:31: error: " in done.stdout
    (tmp_path / "a.sh").write_text("aws ecs create-cluster --tags key=a,value=b\n")
    assert run("validate", tmp_path).returncode == 0


def test_validate_finds_nothing_in_the_examples():
    done = run("validate", "examples")
    assert (done.returncode, done.stdout.strip().split(": ")[1]) == (0, "no findings")


@pytest.mark.parametrize(("flags", "key"), [(["--json"], "findings"), (["--format", "sarif"], "runs")])
def test_validate_speaks_to_programs(tmp_path, flags, key):
    (tmp_path / "a.sh").write_text("aws ecs create-cluster --tags Key=a,Value=b\n")
    assert key in json.loads(run("validate", tmp_path, *flags).stdout)


def test_validate_explains_a_rule_and_knows_near_misses():
    assert "Fargate has no GPUs" in run("validate", "--explain", "ecs/gpu-on-fargate").stdout
    done = run("validate", "--explain", "ecs/gpu-on-fargte")
    assert done.returncode == 1
    assert "did you mean ecs/gpu-on-fargate?" in done.stderr


def test_a_fleet_goes_from_nothing_to_files_and_a_plan(tmp_path):
    assert run("init", "--template", "ml-inference", "--name", "cats", cwd=tmp_path).returncode == 0
    assert run("validate", ".", cwd=tmp_path).returncode == 0
    shown = run("show", "--resolved", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["services"]["cats"]["names"]["family"] == "cats-task"
    planned = run("plan", "--offline", "--svg", "fleet.svg", cwd=tmp_path)
    assert planned.returncode == 0
    assert "Rollout of cats: blue-green" in planned.stdout
    assert (tmp_path / "fleet.svg").read_text().startswith("<svg")
    rendered = run("render", "--format", "ecs", "--out", "out", cwd=tmp_path)
    assert (tmp_path / "out" / "ecs-task-def.json").is_file()
    assert rendered.stdout.splitlines()[0] == "out/ecs-task-def.json"
    assert run("validate", "out", cwd=tmp_path).returncode == 0


def test_init_overwrites_nothing_unless_told(tmp_path):
    (tmp_path / "fleet.yaml").write_text("name: mine\n")
    done = run("init", "--template", "ml-inference", cwd=tmp_path)
    assert done.returncode == 1
    assert "exists already; add --force" in done.stderr
    assert (tmp_path / "fleet.yaml").read_text() == "name: mine\n"


def test_a_plan_that_can_never_finish_exits_with_1(tmp_path):
    (tmp_path / "fleet.yaml").write_text(
        "name: v\ncapacity: {gpu: {instances: [g4dn.xlarge], max: 1}}\n"
        "services: {d: {target: ecs-ec2, image: 'x/d:1', gpu: 1, count: 1}}\n"
    )
    done = run("plan", "--offline", cwd=tmp_path)
    assert done.returncode == 1
    assert "CANNOT FINISH" in done.stdout


def test_the_schema_of_a_fleet_is_printed():
    assert json.loads(run("schema", "fleet").stdout)["title"] == "FleetFile"

"""What is written about the rules and the fleet is true."""

import importlib.util
import re
from pathlib import Path

import yaml

from inferfleet.config.fleet import FleetFile
from inferfleet.deploy.lint import registry

REPOSITORY = Path(__file__).parents[3]


def test_there_is_a_page_for_each_rule_made_from_the_rule():
    spec = importlib.util.spec_from_file_location("rule_pages", REPOSITORY / "tools" / "rule_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = REPOSITORY / "docs" / "rules"
    written = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.md")}
    assert written == module.pages(), "run tools/rule_pages.py"
    assert len(written) == len(registry.all_rules()) + 1


def test_the_first_fleet_of_the_guide_is_a_fleet():
    text = (REPOSITORY / "docs" / "fleet.md").read_text()
    first = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert FleetFile.model_validate(yaml.safe_load(first[1])).services["api"].kind == "api"


def test_the_examples_are_short(examples):
    assert [path for path in examples if len(path.read_text().splitlines()) >= 60] == []


def test_the_pre_commit_hook_runs_the_command():
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "inferfleet validate"
    pattern = re.compile(hook["files"])
    for name in ("fleet.yaml", "a/task.json", "Dockerfile.gpu", "deploy/.env", "requirements.txt", "README.md", "x.sh"):
        assert pattern.search(name), name
    assert not pattern.search("picture.png")

import pytest

from inferfleet.deploy.lint import engine, registry
from inferfleet.deploy.lint.finding import Severity
from inferfleet.errors import InputError

SCRIPT = """\
aws ecs create-cluster --cluster-name vision --tags Key=Project,Value=vision
aws ecs wait services-stable --cluster vision --services api
"""


def rules(**options):
    return [finding.rule for finding in engine.lint_texts({"x.sh": SCRIPT}, engine.Options(**options)).findings]


def test_findings_come_in_the_order_of_the_file():
    assert rules() == ["shell/aws-cli", "shell/stable-is-not-deployed"]


def test_rules_and_groups_can_be_chosen_and_left_out():
    assert rules(select=("shell/aws-cli",)) == ["shell/aws-cli"]
    assert rules(ignore=("shell/aws-cli",)) == ["shell/stable-is-not-deployed"]
    assert rules(select=("ecs",)) == []


def test_an_unknown_rule_is_an_error_that_knows_better():
    with pytest.raises(InputError, match="did you mean ecs/gpu-on-fargate"):
        rules(select=("ecs/gpu-on-fargat",))


def test_only_errors_fail():
    report = engine.lint_texts({"x.sh": SCRIPT})
    assert (report.count(Severity.ERROR), report.count(Severity.WARNING)) == (1, 1)
    assert report.failed
    assert not engine.lint_texts({"x.sh": SCRIPT}, engine.Options(ignore=("shell/aws-cli",))).failed


def test_what_cannot_be_read_is_a_finding():
    report = engine.lint_texts({"x.json": '{"family": '})
    assert [(finding.rule, finding.severity) for finding in report.findings] == [("syntax/unreadable", Severity.ERROR)]


def test_every_rule_is_found_by_its_id():
    assert registry.find("ecs/gpu-on-fargate").severity is Severity.ERROR

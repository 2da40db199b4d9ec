"""What other checkers know joins our findings, where those checkers are installed."""

import json

import pytest

from inferfleet.deploy.lint import engine


def rules(name, text):
    return {finding.rule: finding for finding in engine.lint_texts({name: text}).findings}


@pytest.mark.slow
def test_cfn_lint_sees_whole_templates():
    pytest.importorskip("cfnlint")
    template = {"Resources": {"A": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterNam": "x"}}}}
    found = rules("stack.template.json", json.dumps(template, indent=1))
    assert found["cfn-lint/E3002"].place.line == 6


def test_parliament_knows_which_actions_exist():
    pytest.importorskip("parliament")
    policy = (
        '{"Version": "2012-10-17", "Statement": [\n{"Effect": "Allow", "Action": "s3:PutObjekt", "Resource": "*"}]}'
    )
    assert rules("policy.json", policy)["parliament/unknown-action"].place.line == 2


def test_kubernetes_schemas_are_checked():
    pytest.importorskip("kubernetes_validate")
    manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec:\n  ports: [{port: http}]\n"
    assert rules("service.yaml", manifest)["kubernetes-validate/schema"].place.line == 5


def test_nobody_is_asked_about_blocks_of_a_guide(monkeypatch):
    asked = []
    monkeypatch.setattr("importlib.util.find_spec", asked.append)
    engine.lint_texts(
        {"a.md": '```json\n{"Version": "x", "Statement": [{"Action": "s3:Nope", "Resource": "*"}]}\n```\n'}
    )
    assert "parliament" not in asked

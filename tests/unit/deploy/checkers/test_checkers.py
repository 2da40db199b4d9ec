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


def test_parliament_is_asked_about_the_policies_in_a_template_and_not_about_the_template():
    pytest.importorskip("parliament")
    statements = [
        {"Effect": "Allow", "Action": "s3:PutObjekt", "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    properties = {"PolicyName": "p", "PolicyDocument": document, "Roles": [{"Ref": "Role"}]}
    template = {"Resources": {"Policy": {"Type": "AWS::IAM::Policy", "Properties": properties}}}
    found = rules("stack.template.json", json.dumps(template, indent=1))
    assert [rule for rule in found if rule.startswith("parliament")] == ["parliament/unknown-action"]
    assert found["parliament/unknown-action"].place.line == 7


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

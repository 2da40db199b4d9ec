"""What belongs together among files that are checked at once."""

import json

from inferfleet.deploy.lint import engine


def template(service, statements):
    """A template as the CDK writes one for each service: the same ids in each."""
    policy = {"PolicyName": "p", "Roles": [{"Ref": "TaskRole"}], "PolicyDocument": {"Statement": statements}}
    principal = {"Service": "ecs-tasks.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}
    resources = {
        "TaskRole": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Task": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Family": service,
                "TaskRoleArn": {"Fn::GetAtt": ["TaskRole", "Arn"]},
                "ContainerDefinitions": [{"Name": "a", "Image": "x/a:1", "Essential": True}],
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "ServiceName": service,
                "TaskDefinition": {"Ref": "Task"},
                "DeploymentConfiguration": {"MaximumPercent": 200, "MinimumHealthyPercent": 100},
            },
        },
    }
    if statements:
        resources["Policy"] = {"Type": "AWS::IAM::Policy", "Properties": policy}
    return json.dumps({"Resources": resources}, indent=1)


def test_an_id_of_one_template_is_not_that_of_another():
    reads = [{"Effect": "Allow", "Action": "kinesisvideo:GetMedia", "Resource": "arn:aws:kinesisvideo:*:*:stream/a/*"}]
    files = {"eyes.template.json": template("eyes", reads), "api.template.json": template("api", [])}
    options = engine.Options(external=False)
    found = [f for f in engine.lint_texts(files, options).findings if f.rule == "ecs/two-stream-readers"]
    assert [finding.place.file for finding in found] == ["eyes.template.json"]

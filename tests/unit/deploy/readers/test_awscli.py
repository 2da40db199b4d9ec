import pytest

from inferfleet.deploy.lint.excerpt import SourceText
from inferfleet.deploy.readers import awscli
from inferfleet.deploy.readers.shell import ShellReader


def read(text):
    reader = ShellReader()
    reader.read(SourceText("x.sh", text).excerpt())
    return awscli.read(reader.script.commands[-1])


def problems(text):
    return [problem for _, problem in read(text).problems]


def test_options_come_out_in_the_shape_of_the_api():
    call = read(
        "aws ecs create-service --cluster c --service-name s --desired-count 3 --enable-execute-command "
        "--network-configuration 'awsvpcConfiguration={subnets=[a,b],securityGroups=[g],assignPublicIp=DISABLED}' "
        "--load-balancers targetGroupArn=t,containerName=c,containerPort=80 --tags key=k,value=v --region eu-west-1"
    )
    assert call.name == "ecs:CreateService"
    assert call.params.plain() == {
        "cluster": "c",
        "serviceName": "s",
        "desiredCount": 3,
        "enableExecuteCommand": True,
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["a", "b"], "securityGroups": ["g"], "assignPublicIp": "DISABLED"}
        },
        "loadBalancers": [{"targetGroupArn": "t", "containerName": "c", "containerPort": 80}],
        "tags": [{"key": "k", "value": "v"}],
    }
    assert call.problems == ()


@pytest.mark.parametrize(
    "command",
    [
        "aws logs tail /ecs/api --follow",
        "aws s3 sync a s3://b",
        "aws ecs wait services-stable --cluster c --services s",
        "aws ecs execute-command --cluster c --task t --container x --command /bin/sh --interactive",
        "aws ec2 authorize-security-group-ingress --group-id g --protocol tcp --port 80 --cidr 0.0.0.0/0",
        "aws eks update-kubeconfig --name x",
        "aws ecr get-login-password --region x",
        "aws sns subscribe --topic-arn t --protocol email --notification-endpoint a@b.example",
        "aws ec2 describe-instances --filters Name=tag:Name,Values=a,b --query 'Reservations[]' --no-cli-pager",
        "aws ecs update-service --cluster $C --service $S --desired-count $N --capacity-provider-strategy $STRATEGY",
        "aws ecs create-service --cli-input-json file://service.json",
        'aws dynamodb put-item --table-name t --item \'{"id": {"S": "1"}}\'',
        "aws autoscaling create-auto-scaling-group --auto-scaling-group-name g --min-size 1 --max-size 2 "
        "--tags Key=Name,Value=x,PropagateAtLaunch=true",
        "aws --region x ecs list-clusters --max-items 5 --output text",
    ],
)
def test_correct_calls_have_no_problems(command):
    assert problems(command) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("aws ecs create-cluster --tags Key=a,Value=b", "must be one of: key, value"),
        ("aws ecs update-service --service s --desired-cont 2", "did you mean `--desired-count`"),
        ("aws ecs describe-service --services s", "did you mean `describe-services`"),
        ("aws ecz list-clusters", "no service `ecz`"),
        ("aws ecs update-service --cluster c", 'Missing required parameter in input: "service"'),
        ("aws ecs update-service --service s --desired-count many", "Invalid type for parameter desiredCount"),
        ("aws ecs create-service --service-name s --launch-type Fargate", "`Fargate` is none of EC2, FARGATE"),
        ("aws ecs create-cluster --cluster-name c --settings '[{name: x'", "not valid JSON"),
        ("aws ecs create-cluster --cluster-name c --settings containerInsights", "expected key=value"),
    ],
)
def test_a_wrong_call_is_told_why(command, says):
    assert any(says in problem for problem in problems(command)), problems(command)


def test_a_problem_points_at_the_word_that_is_wrong():
    (place, _), *_ = read("aws ecs create-cluster \\\n  --cluster-name c \\\n  --tags Key=a,Value=b").problems
    assert (place.line, place.column) == (3, 10)

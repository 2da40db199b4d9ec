"""VPC endpoints for some of what tasks talk to, and not for the rest."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Script
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_FEW = 2


def check(world: Workspace) -> Iterator[Match]:
    """Finds scripts that make endpoints for ECR and leave out others that the same script's tasks use."""
    for document in world.scripts:
        calls = document.script.call(kinds.VPC_ENDPOINT)
        made = {".".join(call.params["ServiceName"].text.split(".")[3:]) for call in calls}
        if len(made) < _FEW or not made & {"ecr.api", "ecr.dkr"}:
            continue
        missing = [name for name in _needed(document.script) if name not in made]
        if missing:
            yield Match(
                calls[-1].place,
                f"no endpoint for {', '.join(missing)}: that traffic takes the NAT gateway, and fails where there is "
                "none",
            )


def _needed(script: Script) -> list[str]:
    needed = ["ecr.api", "ecr.dkr", "s3", "logs"]
    if script.call(kinds.CAPACITY_PROVIDER, kinds.LAUNCH_TEMPLATE, kinds.AUTO_SCALING_GROUP):
        needed += ["ecs", "ecs-agent", "ecs-telemetry"]
    if script.call("ecs:ExecuteCommand"):
        needed.append("ssmmessages")
    return needed


RULE = Rule(
    severity=Severity.NOTE,
    title="Endpoints that do not cover what the tasks use",
    why="A pull needs ecr.api, ecr.dkr and S3; instances talk to ecs, ecs-agent and ecs-telemetry; ECS Exec to "
    "ssmmessages. What has no endpoint goes through NAT, which hides the gap until NAT is taken away.",
    fix="Add the missing endpoints, or keep the NAT gateway and the bill for it in mind.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html",
    check=check,
    example=Example(
        file="network.sh",
        bad="""
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.ecr.api
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.logs
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Gateway --service-name com.amazonaws.us-east-1.s3
""",
        good="""
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.ecr.api
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.ecr.dkr
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Interface --service-name com.amazonaws.us-east-1.logs
aws ec2 create-vpc-endpoint --vpc-id vpc-0a --vpc-endpoint-type Gateway --service-name com.amazonaws.us-east-1.s3
""",
    ),
)

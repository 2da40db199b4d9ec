"""Tasks that can take the instance's role."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds launch templates that let containers reach the instance metadata, with nothing in user data against it."""
    blocked = any("ECS_AWSVPC_BLOCK_IMDS=true" in item.node.text for item in world.of(kinds.USER_DATA))
    for template in world.of(kinds.LAUNCH_TEMPLATE_DATA):
        options = template.node["MetadataOptions"]
        hops = options["HttpPutResponseHopLimit"]
        inline = "ECS_AWSVPC_BLOCK_IMDS" in template.node["UserData"].text
        if options["HttpTokens"].text == "optional":
            yield Match(options["HttpTokens"].place, "HttpTokens optional allows IMDSv1, which needs no token at all")
        if (hops.number or 0) > 1 and not blocked and not inline:
            yield Match(
                hops.place,
                f"a hop limit of {hops.text} lets containers reach the instance metadata and take the instance's role; "
                "ECS_AWSVPC_BLOCK_IMDS=true in ecs.config closes it",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="Containers can reach the instance's credentials",
    why="A hop limit above 1 lets a container's request through to the instance metadata service, whose credentials "
    "may "
    "do all that the instance role may. Requiring IMDSv2 does not change that.",
    fix="Set HttpPutResponseHopLimit to 1, and ECS_AWSVPC_BLOCK_IMDS=true in /etc/ecs/ecs.config for awsvpc tasks.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html",
    check=check,
    example=Example(
        file="template.sh",
        bad="""
aws ec2 create-launch-template --launch-template-name cpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large",
  "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
}'
""",
        good="""
aws ec2 create-launch-template --launch-template-name cpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large",
  "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
}'
""",
    ),
)

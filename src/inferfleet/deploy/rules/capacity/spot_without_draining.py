"""Spot instances that do not tell ECS before they go."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds Spot launch templates whose user data does not switch draining on."""
    drains = any("ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" in item.node.text for item in world.of(kinds.USER_DATA))
    for template in world.of(kinds.LAUNCH_TEMPLATE_DATA):
        market = template.node["InstanceMarketOptions"]["MarketType"]
        if market.text == "spot" and not drains and "SPOT_INSTANCE_DRAINING" not in template.node["UserData"].text:
            yield Match(
                market.place, "without ECS_ENABLE_SPOT_INSTANCE_DRAINING=true tasks are killed with the instance"
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="Spot instances without draining",
    why="Two minutes before a Spot instance is taken the agent can set it to DRAINING, so that tasks stop in order and "
    "start elsewhere. It does so only when it is told to.",
    fix="Write ECS_ENABLE_SPOT_INSTANCE_DRAINING=true to /etc/ecs/ecs.config in user data.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-spot.html",
    check=check,
    example=Example(
        file="template.sh",
        bad="""
aws ec2 create-launch-template --launch-template-name spot --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large", "InstanceMarketOptions": {"MarketType": "spot"}
}'
""",
        good="""
cat > user-data.sh <<'EOF'
#!/bin/bash
echo ECS_CLUSTER=vision >> /etc/ecs/ecs.config
echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config
EOF
aws ec2 create-launch-template --launch-template-name spot --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large", "InstanceMarketOptions": {"MarketType": "spot"}
}'
""",
    ),
)

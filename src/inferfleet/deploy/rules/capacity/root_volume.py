"""GPU instances with the root volume that the image brings."""

from collections.abc import Iterator

from inferfleet.deploy import instances
from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_LEAST_GIB = 50


def check(world: Workspace) -> Iterator[Match]:
    """Finds launch templates of GPU types without a larger root volume."""
    for template in world.of(kinds.LAUNCH_TEMPLATE_DATA):
        kind = instances.table().ec2.get(template.node["InstanceType"].text)
        sizes = [item["Ebs"]["VolumeSize"].number for item in template.node["BlockDeviceMappings"]]
        if kind is None or not kind.gpus or any(size is None or size >= _LEAST_GIB for size in sizes):
            continue
        has = f"a volume of {sizes[0]:g} GiB" if sizes and sizes[0] else "no BlockDeviceMappings, so the image's 30 GiB"
        yield Match(
            (template.node["BlockDeviceMappings"] or template.node["InstanceType"]).place,
            f"launch template for {kind.name} has {has}; two CUDA images and their layers fill that, and tasks stop "
            "with "
            "CannotPullContainerError: no space left on device",
        )


RULE = Rule(
    severity=Severity.WARNING,
    title="The root volume is too small for CUDA images",
    why="ECS-optimized images bring a 30 GiB root volume. A CUDA image takes 5 to 15 GiB unpacked, a deployment needs "
    "two, "
    "and old ones are removed only after hours.",
    fix="Give a gp3 root volume of 100 GiB in BlockDeviceMappings.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-optimized_AMI.html",
    check=check,
    example=Example(
        file="template.sh",
        bad="""
aws ec2 create-launch-template --launch-template-name gpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "g4dn.xlarge",
  "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
}'
""",
        good="""
aws ec2 create-launch-template --launch-template-name gpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "g4dn.xlarge",
  "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}],
  "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
}'
""",
    ),
)

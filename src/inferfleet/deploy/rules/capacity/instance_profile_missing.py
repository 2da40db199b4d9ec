"""A launch template with an instance profile that nobody makes."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds instance profiles in scripts that create roles, but not this profile."""
    made = {call.params["InstanceProfileName"].text for call in world.calls("iam:CreateInstanceProfile")}
    for template in world.of(kinds.LAUNCH_TEMPLATE_DATA):
        profile = template.node["IamInstanceProfile"]["Name"]
        script = template.document.script
        if profile.known and script.call(kinds.ROLE) and profile.text not in made:
            yield Match(
                profile.place,
                f"instance profile {profile.text} is used here and created nowhere; where it does not exist, no "
                "instance starts",
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="An instance profile that is never created",
    why="Only the console makes ecsInstanceRole by itself, and only once an account. With the command line the launch "
    "fails with InvalidParameterValue, or the instance cannot join the cluster.",
    fix="Create the role with AmazonEC2ContainerServiceforEC2Role, an instance profile, and add the role to it.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/instance_IAM_role.html",
    check=check,
    example=Example(
        file="capacity.sh",
        bad="""
aws iam create-role --role-name ecsInstanceRole --assume-role-policy-document file://ec2-trust.json
aws ec2 create-launch-template --launch-template-name cpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large", "IamInstanceProfile": {"Name": "ecsInstanceRole"}
}'
""",
        good="""
aws iam create-role --role-name ecsInstanceRole --assume-role-policy-document file://ec2-trust.json
aws iam create-instance-profile --instance-profile-name ecsInstanceRole
aws iam add-role-to-instance-profile --instance-profile-name ecsInstanceRole --role-name ecsInstanceRole
aws ec2 create-launch-template --launch-template-name cpu --launch-template-data '{
  "ImageId": "ami-0123456789abcdef0", "InstanceType": "m6i.large", "IamInstanceProfile": {"Name": "ecsInstanceRole"}
}'
""",
    ),
)

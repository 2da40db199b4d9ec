"""Outbound rules added to a group that already allows everything."""

from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace


def check(world: Workspace) -> Iterator[Match]:
    """Finds outbound rules for groups that the script makes, whose first rule stays."""
    for document in world.scripts:
        script = document.script
        made = {
            f"${{{item.name}}}"
            for item in script.assignments
            if item.command and "create-security-group" in item.command.texts
        }
        revoked = {call.params["GroupId"].text for call in script.call("ec2:RevokeSecurityGroupEgress")}
        seen: set[str] = set()
        for call in script.call("ec2:AuthorizeSecurityGroupEgress"):
            group = call.params["GroupId"].text
            if group in made - revoked - seen:
                seen.add(group)
                yield Match(
                    call.place, f"{group} is new and allows all outbound traffic already: this rule restricts nothing"
                )


RULE = Rule(
    severity=Severity.WARNING,
    title="Outbound rules that restrict nothing",
    why="A new security group comes with a rule that allows all outbound traffic, and rules only ever add.",
    fix="Revoke the first rule: aws ec2 revoke-security-group-egress --group-id … --protocol all --cidr 0.0.0.0/0.",
    source="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    check=check,
    example=Example(
        file="network.sh",
        bad="""
GROUP=$(aws ec2 create-security-group --vpc-id vpc-0a --group-name tasks --description tasks \\
  --query GroupId --output text)
aws ec2 authorize-security-group-egress --group-id $GROUP --protocol tcp --port 443 --cidr 0.0.0.0/0
""",
        good="""
GROUP=$(aws ec2 create-security-group --vpc-id vpc-0a --group-name tasks --description tasks \\
  --query GroupId --output text)
aws ec2 revoke-security-group-egress --group-id $GROUP --protocol all --cidr 0.0.0.0/0
aws ec2 authorize-security-group-egress --group-id $GROUP --protocol tcp --port 443 --cidr 0.0.0.0/0
""",
    ),
)

"""Findings of cdk-nag that are meant to be so, each acknowledged where its construct is, with the reason.

They are CDK's own acknowledgements: cdk-nag reads them, and a user's app that does not use it is not bothered.
"""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from constructs import IConstruct

from inferfleet.deploy.permissions import Statement


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledges a rule for a construct and what is in it.

    Args:
        construct: The construct.
        rule: The rule's id, such as `AwsSolutions-EC23`.
        reason: Why it is right here, for those who audit.
    """
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))


def acknowledge_wildcards(role: IConstruct, statements: Iterable[Statement]) -> None:
    """Acknowledges the resources of a role's statements that hold a `*`, each with what the statement is for."""
    for statement in statements:
        for resource in statement.resources:
            if "*" in resource:
                acknowledge(role, wildcard_rule(resource), statement.why)


def wildcard_rule(resource: str) -> str:
    """Returns the rule against a resource that holds a `*`; cdk-nag writes what is only known later by its name."""
    pseudo = {"AWS::AccountId": cdk.Aws.ACCOUNT_ID, "AWS::Partition": cdk.Aws.PARTITION, "AWS::Region": cdk.Aws.REGION}
    for name, token in pseudo.items():
        resource = resource.replace(token, f"<{name}>")
    return f"AwsSolutions-IAM5[Resource::{resource}]"


def managed_policy_rule(name: str) -> str:
    """Returns the rule against one of AWS's managed policies, by the policy's name."""
    return f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"

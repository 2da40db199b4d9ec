"""Findings of cdk-nag that are meant to be so, acknowledged where they are made, each with the reason."""

from collections.abc import Callable
from dataclasses import replace

from aws_cdk import Acknowledgment, Token, Validations
from constructs import IConstruct

from inferfleet.recovery.aws.permissions import Grant, Scope


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledges a rule for a construct and what is in it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def acknowledge_grants(
    construct: IConstruct, grants: Callable[[Scope], tuple[Grant, ...]], scope: Scope, *, log_group: str = ""
) -> None:
    """Acknowledges the resources of a role or policy that hold a `*`, each with what the grant is for.

    Args:
        construct: The role or policy.
        grants: What it grants.
        scope: Where recovery works.
        log_group: Name of the diagnosis's log group.
    """
    shown = replace(
        scope,
        partition="<AWS::Partition>",
        account="<AWS::AccountId>" if Token.is_unresolved(scope.account) else scope.account,
        region="<AWS::Region>" if Token.is_unresolved(scope.region) else scope.region,
    )
    shown = replace(shown, log_group=shown.arn("logs", f"log-group:{log_group}"))
    for grant in grants(shown):
        for resource in grant.resources:
            if "*" in resource:
                acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", grant.why)

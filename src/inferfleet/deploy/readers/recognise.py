"""Tells what a piece of JSON or YAML is, by its shape, as a person would."""

from __future__ import annotations

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.node import Node


def kind_of(node: Node, name: str = "") -> str:
    """Returns the kind of a document; empty when it is none that rules know.

    Args:
        node: Its content.
        name: Its file name, when it has one.
    """
    if not node.is_mapping:
        return ""
    for kind, test in _TESTS:
        if test(node, name):
            return kind
    return ""


def _has(node: Node, *keys: str) -> bool:
    return all(key in node for key in keys)


def _is_template(node: Node, _: str) -> bool:
    resources = node["Resources"]
    return "AWSTemplateFormatVersion" in node or (
        resources.is_mapping and any(child["Type"].text.startswith("AWS::") for _, child in resources.items())
    )


def _is_task_definition(node: Node, _: str) -> bool:
    containers = node["containerDefinitions"]
    return isinstance(containers.value, list) and ("family" in node or any("image" in item for item in containers))


def _is_service(node: Node, _: str) -> bool:
    if "services" in node or "Type" in node:
        return False
    hints = (
        "desiredCount",
        "launchType",
        "capacityProviderStrategy",
        "deploymentConfiguration",
        "networkConfiguration",
    )
    return ("serviceName" in node or "taskDefinition" in node) and any(hint in node for hint in hints)


def _is_trust_policy(node: Node, _: str) -> bool:
    return any("Principal" in statement and "sts:Assume" in " ".join(statement["Action"].texts())
               for statement in node["Statement"])  # fmt: skip


def _is_policy(node: Node, _: str) -> bool:
    statements = node["Statement"] or node
    return any(
        ("Action" in statement or "NotAction" in statement)
        and ("Resource" in statement or "NotResource" in statement or "Effect" in statement)
        for statement in statements
    )


def _is_dashboard(node: Node, _: str) -> bool:
    return isinstance(node["widgets"].value, list)


def _is_lifecycle(node: Node, _: str) -> bool:
    return any("rulePriority" in rule for rule in node["rules"])


def _is_alarm(node: Node, _: str) -> bool:
    return _has(node, "MetricName", "Namespace") and ("Threshold" in node or "ComparisonOperator" in node)


def _is_scaling_policy(node: Node, _: str) -> bool:
    return "TargetTrackingScalingPolicyConfiguration" in node or "StepScalingPolicyConfiguration" in node


def _is_scalable_target(node: Node, _: str) -> bool:
    return _has(node, "ResourceId", "ScalableDimension") and ("MinCapacity" in node or "MaxCapacity" in node)


def _is_manifest(node: Node, _: str) -> bool:
    return _has(node, "apiVersion", "kind")


def _is_launch_template(node: Node, _: str) -> bool:
    return "ImageId" in node and ("InstanceType" in node or "UserData" in node)


def _is_fleet(node: Node, name: str) -> bool:
    return name.endswith(("fleet.yaml", "fleet.yml")) and "services" in node


def _is_cameras(node: Node, name: str) -> bool:
    return name.endswith(("cameras.yaml", "cameras.yml"))


_TESTS = (
    (kinds.FLEET, _is_fleet),
    (kinds.CAMERAS, _is_cameras),
    (kinds.TEMPLATE, _is_template),
    (kinds.MANIFEST, _is_manifest),
    (kinds.TASK_DEFINITION, _is_task_definition),
    (kinds.TRUST_POLICY, _is_trust_policy),
    (kinds.POLICY, _is_policy),
    (kinds.DASHBOARD, _is_dashboard),
    (kinds.LIFECYCLE_POLICY, _is_lifecycle),
    (kinds.ALARM, _is_alarm),
    (kinds.SCALING_POLICY, _is_scaling_policy),
    (kinds.SCALABLE_TARGET, _is_scalable_target),
    (kinds.LAUNCH_TEMPLATE_DATA, _is_launch_template),
    (kinds.SERVICE, _is_service),
)

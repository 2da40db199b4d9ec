"""Reads CloudFormation templates, JSON or YAML, into artifacts of the shape that the AWS APIs have.

Intrinsic functions become text that rules know as open: `{"Ref": "Cluster"}` reads `${Cluster}`, `Fn::GetAtt` reads
`${Role.Arn}`, and `Fn::Join` and `Fn::Sub` the text they make.
"""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact, Document
from inferfleet.deploy.lint.node import Node

_KINDS = {
    "AWS::ECS::TaskDefinition": kinds.TASK_DEFINITION,
    "AWS::ECS::Service": kinds.SERVICE,
    "AWS::ECS::Cluster": kinds.CLUSTER,
    "AWS::ECS::CapacityProvider": kinds.CAPACITY_PROVIDER,
    "AWS::ECS::ClusterCapacityProviderAssociations": kinds.CLUSTER_CAPACITY,
    "AWS::ApplicationAutoScaling::ScalableTarget": kinds.SCALABLE_TARGET,
    "AWS::ApplicationAutoScaling::ScalingPolicy": kinds.SCALING_POLICY,
    "AWS::CloudWatch::Alarm": kinds.ALARM,
    "AWS::ElasticLoadBalancingV2::TargetGroup": kinds.TARGET_GROUP,
    "AWS::ElasticLoadBalancingV2::Listener": kinds.LISTENER,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": kinds.LOAD_BALANCER,
    "AWS::AutoScaling::AutoScalingGroup": kinds.AUTO_SCALING_GROUP,
    "AWS::EC2::VPCEndpoint": kinds.VPC_ENDPOINT,
    "AWS::Logs::LogGroup": kinds.LOG_GROUP,
}
# Free-form maps: their keys are the user's, not CloudFormation's.
_MAPS = frozenset({"Options", "DockerLabels", "DriverOpts", "Labels", "Parameters"})


def artifacts(template: Node, document: Document) -> Iterator[Artifact]:
    """Yields the template, every resource of it, and for known types the artifact in the API's shape."""
    yield Artifact(kinds.TEMPLATE, template, document)
    for name, resource in template["Resources"].items():
        kind = resource["Type"].text
        properties = resolved(resource["Properties"])
        yield Artifact(kinds.RESOURCE, resource, document, name=name)
        if kind in _KINDS:
            ecs = kind.startswith("AWS::ECS::")
            yield Artifact(_KINDS[kind], lowered(properties) if ecs else properties, document, name=name)
        if kind == "AWS::IAM::Role":
            yield Artifact(kinds.TRUST_POLICY, properties["AssumeRolePolicyDocument"], document, name=name)
            for policy in properties["Policies"]:
                yield Artifact(kinds.POLICY, policy["PolicyDocument"], document, name=name)
        elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            roles = properties["Roles"].texts()
            owner = roles[0].strip("${}") if roles else name
            yield Artifact(kinds.POLICY, properties["PolicyDocument"], document, name=owner)
        elif kind == "AWS::EC2::LaunchTemplate":
            yield Artifact(kinds.LAUNCH_TEMPLATE_DATA, properties["LaunchTemplateData"], document, name=name)


def resolved(node: Node) -> Node:
    """Replaces intrinsic functions by text."""
    if isinstance(node.value, list):
        return node.with_value([resolved(child) for child in node.value])
    if not isinstance(node.value, dict):
        return node
    if len(node.value) == 1:
        key, argument = next(iter(node.value.items()))
        if key == "Ref":
            return node.with_value(f"${{{argument.text}}}")
        if key.startswith("Fn::"):
            return node.with_value(_function(key, argument))
    return node.with_value({key: resolved(child) for key, child in node.value.items()})


def _function(key: str, argument: Node) -> str:
    if key == "Fn::GetAtt":
        return f"${{{'.'.join(argument.texts())}}}"
    if key == "Fn::Sub":
        return argument[0].text if isinstance(argument.value, list) else argument.text
    if key == "Fn::Join":
        return argument[0].text.join(resolved(part).text for part in argument[1])
    return f"${{{key}}}"


def lowered(node: Node) -> Node:
    """Gives ECS's properties the API's case: `ContainerDefinitions` becomes `containerDefinitions`."""
    if isinstance(node.value, list):
        return node.with_value([lowered(child) for child in node.value])
    if not isinstance(node.value, dict):
        return node
    return node.with_value(
        {key[:1].lower() + key[1:]: child if key in _MAPS else lowered(child) for key, child in node.value.items()}
    )

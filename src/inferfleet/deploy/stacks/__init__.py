"""A fleet as AWS CDK stacks, and the constructs that they are made of, for CDK apps of your own.

Importing this starts the CDK's engine, which takes a second or two; nothing outside of this folder does.
"""

from inferfleet.deploy.stacks.app import add_fleet
from inferfleet.deploy.stacks.balancer import ServiceBalancer
from inferfleet.deploy.stacks.base import FleetStack
from inferfleet.deploy.stacks.cluster import ClusterStack, FleetCluster
from inferfleet.deploy.stacks.eks import FleetKubernetes, KubernetesStack
from inferfleet.deploy.stacks.network import FleetNetwork, NetworkStack
from inferfleet.deploy.stacks.observability import AlertTopic, FleetObservability, ObservabilityStack
from inferfleet.deploy.stacks.observability_alarms import BalancerMetrics, ServiceAlarms
from inferfleet.deploy.stacks.registry import ImageRepository, RegistryStack
from inferfleet.deploy.stacks.service import FleetService, ServiceStack
from inferfleet.deploy.stacks.synth import Assembly, SynthesisedStack, synthesise

__all__ = [
    "AlertTopic",
    "Assembly",
    "BalancerMetrics",
    "ClusterStack",
    "FleetCluster",
    "FleetKubernetes",
    "FleetNetwork",
    "FleetObservability",
    "FleetService",
    "FleetStack",
    "ImageRepository",
    "KubernetesStack",
    "NetworkStack",
    "ObservabilityStack",
    "RegistryStack",
    "ServiceAlarms",
    "ServiceBalancer",
    "ServiceStack",
    "SynthesisedStack",
    "add_fleet",
    "synthesise",
]

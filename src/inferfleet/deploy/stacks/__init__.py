"""A fleet as AWS CDK stacks, and the constructs that they are made of, for CDK apps of your own.

Importing this starts the CDK's engine, which takes a second or two; nothing outside of this folder does.
"""

from inferfleet.deploy.stacks.app import add_fleet
from inferfleet.deploy.stacks.balancer import AccessLogs, ServiceBalancer
from inferfleet.deploy.stacks.base import FleetStack
from inferfleet.deploy.stacks.cluster import ClusterStack, FleetCluster
from inferfleet.deploy.stacks.eks import FleetKubernetes, KubernetesStack
from inferfleet.deploy.stacks.instances import InstanceCapacity
from inferfleet.deploy.stacks.managed import ManagedInstances
from inferfleet.deploy.stacks.network import FleetNetwork, NetworkStack
from inferfleet.deploy.stacks.observability import AlertTopic, FleetObservability, ObservabilityStack
from inferfleet.deploy.stacks.observability_alarms import BalancerMetrics, ServiceAlarms
from inferfleet.deploy.stacks.registry import ImageRepository, RegistryStack
from inferfleet.deploy.stacks.rollback import RollbackAlarm
from inferfleet.deploy.stacks.scaling import ServiceScaling
from inferfleet.deploy.stacks.service import FleetService, ServiceStack
from inferfleet.deploy.stacks.synth import Assembly, SynthesisedStack, synthesise

__all__ = [
    "AccessLogs",
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
    "InstanceCapacity",
    "KubernetesStack",
    "ManagedInstances",
    "NetworkStack",
    "ObservabilityStack",
    "RegistryStack",
    "RollbackAlarm",
    "ServiceAlarms",
    "ServiceBalancer",
    "ServiceScaling",
    "ServiceStack",
    "SynthesisedStack",
    "add_fleet",
    "synthesise",
]

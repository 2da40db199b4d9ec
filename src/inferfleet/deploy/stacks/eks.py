"""The services of a fleet on Kubernetes: an EKS cluster in Auto Mode, and the same manifests that are rendered.

Auto Mode brings nodes, GPU drivers, load balancers and Pod Identity. Pods get their permissions from a role that is
associated with their service account, so there is no key anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda
from constructs import Construct, IConstruct

from inferfleet.config.fleet_capacity import Ec2Capacity
from inferfleet.config.fleet_service import Scaling
from inferfleet.config.permissions import Place
from inferfleet.deploy import permissions
from inferfleet.deploy.render import kubernetes
from inferfleet.deploy.render.kubernetes import scaling
from inferfleet.deploy.render.kubernetes.traffic import INGRESS_CLASS
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService
from inferfleet.deploy.stacks.base import FleetStack, camel, output
from inferfleet.deploy.stacks.nag import acknowledge, acknowledge_wildcards, managed_policy_rule
from inferfleet.deploy.stacks.network import FleetNetwork
from inferfleet.errors import InputError

Manifest = dict[str, Any]

_AUTO_MODE_POLICIES = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryReadOnly",
)
_FUNCTION_POLICIES = (
    "AmazonEC2ContainerRegistryReadOnly",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
)
_KEDA_CHART = "2.17.2"
_IDLE_SECONDS = 300
_GPU = "nvidia.com/gpu"


class FleetKubernetes(Construct):
    """An EKS cluster in Auto Mode with what a fleet's services take for granted.

    Args:
        scope: The stack that it is in. Its synthesizer must take assets: the function that applies manifests is one.
        id: Its name there.
        fleet: The fleet.
        network: Where its nodes run. Subnets of an existing VPC must carry the tags by which EKS finds them:
            `kubernetes.io/role/elb` public ones, `kubernetes.io/role/internal-elb` private ones.

    Attributes:
        cluster: The cluster.
        namespace: The namespace of the services, which has the fleet's name.
    """

    def __init__(self, scope: Construct, id: str, *, fleet: ResolvedFleet, network: FleetNetwork) -> None:
        super().__init__(scope, id)
        private = cdk.aws_ec2.SubnetSelection(subnets=network.private)
        self.cluster = eks.Cluster(
            self,
            "Cluster",
            cluster_name=fleet.cluster,
            version=eks.KubernetesVersion.V1_35,
            vpc=network.vpc,
            vpc_subnets=[private],
            endpoint_access=eks.EndpointAccess.PUBLIC_AND_PRIVATE,
            cluster_logging=[
                eks.ClusterLoggingTypes.API,
                eks.ClusterLoggingTypes.AUDIT,
                eks.ClusterLoggingTypes.AUTHENTICATOR,
                eks.ClusterLoggingTypes.CONTROLLER_MANAGER,
                eks.ClusterLoggingTypes.SCHEDULER,
            ],
            kubectl_provider_options=eks.KubectlProviderOptions(
                kubectl_layer=_kubectl(self), private_subnets=network.private
            ),
        )
        _acknowledge(self.cluster)
        self.namespace = self._apply("Namespace", [_namespace(fleet), _network_policies()])
        services = [service for service in fleet.services if service.target == "eks"]
        if any(service.spec.load_balancer is not None for service in services):
            self._apply("IngressClass", _ingress_class())
        pools = {name: pool for service in services for name, pool in [_node_pool(fleet, service)] if pool}
        for name, pool in pools.items():
            self._apply(f"{name.capitalize()}Nodes", [pool])
        self._autoscaling([service.spec.scaling for service in services if service.spec.scaling is not None], fleet)

    def add(self, fleet: ResolvedFleet, service: ResolvedService, *, image: str, folder: Path | None) -> IConstruct:
        """Adds a service: its role, the association of that with its service account, and its manifests.

        Args:
            fleet: The fleet.
            service: The service.
            image: The image's URI, by digest.
            folder: Where its `config` is.

        Raises:
            InputError: Its configuration cannot be read, or its scaling has no counterpart in Kubernetes.
        """
        role = self._pod_role(f"{camel(service.key)}Role", f"What {service.key} of {fleet.file.name} may do")
        statements = permissions.task_role(fleet, service, folder)
        for statement in statements:
            role.add_to_policy(
                iam.PolicyStatement(
                    sid=statement.sid, actions=list(statement.actions), resources=list(statement.resources)
                )
            )
        acknowledge_wildcards(role, statements)
        identity = self._identity(camel(service.key), role, namespace=fleet.file.name, account=service.key)
        rendered = kubernetes.manifests(fleet, replace(service, image=image), folder)
        manifests = [_within(manifest, fleet.file.name) for manifest in rendered.values()]
        applied = self._apply(camel(service.key), manifests)
        # Pods that start before the association have no permissions until they are started again.
        applied.node.add_dependency(self.namespace, identity)
        return applied

    def _apply(self, name: str, manifests: list[Manifest]) -> eks.KubernetesManifest:
        cluster = cast(eks.ICluster, self.cluster)
        return eks.KubernetesManifest(self, name, cluster=cluster, manifest=manifests, prune=True)

    def _pod_role(self, name: str, description: str) -> iam.Role:
        role = iam.Role(self, name, assumed_by=iam.ServicePrincipal("pods.eks.amazonaws.com"), description=description)
        trust = role.assume_role_policy
        assert trust is not None
        trust.add_statements(
            iam.PolicyStatement(actions=["sts:TagSession"], principals=[iam.ServicePrincipal("pods.eks.amazonaws.com")])
        )
        return role

    def _identity(self, name: str, role: iam.Role, *, namespace: str, account: str) -> eks.CfnPodIdentityAssociation:
        return eks.CfnPodIdentityAssociation(
            self,
            f"{name}Identity",
            cluster_name=self.cluster.cluster_name,
            namespace=namespace,
            service_account=account,
            role_arn=role.role_arn,
        )

    def _autoscaling(self, wanted: list[Scaling], fleet: ResolvedFleet) -> None:
        if any(item.cpu is not None for item in wanted):
            eks.Addon(self, "MetricsServer", cluster=cast(eks.ICluster, self.cluster), addon_name="metrics-server")
        if not any(scaling.needs_keda(item) for item in wanted):
            return
        role = self._pod_role("KedaRole", f"What KEDA reads to scale the services of {fleet.file.name}")
        place = Place.of(fleet.region, fleet.account)
        queues = [item.queue.name for item in wanted if item.queue is not None]
        if queues:
            arns = [place.arn("sqs", queue) for queue in queues]
            role.add_to_policy(iam.PolicyStatement(actions=["sqs:GetQueueAttributes"], resources=arns))
        if any(item.metric is not None for item in wanted):
            role.add_to_policy(iam.PolicyStatement(actions=["cloudwatch:GetMetricData"], resources=["*"]))
            acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "Reading CloudWatch metrics knows no resources.")
        identity = self._identity("Keda", role, namespace="keda", account="keda-operator")
        chart = self.cluster.add_helm_chart(
            "Keda",
            chart="keda",
            repository="https://kedacore.github.io/charts",
            version=_KEDA_CHART,
            release="keda",
            namespace="keda",
            create_namespace=True,
            wait=True,
        )
        chart.node.add_dependency(identity)
        self.namespace.node.add_dependency(chart)


def _kubectl(scope: Construct) -> aws_lambda.ILayerVersion:
    try:
        from aws_cdk.lambda_layer_kubectl_v35 import KubectlV35Layer
    except ModuleNotFoundError as error:
        raise InputError("services on EKS need kubectl's layer: pip install 'inferfleet[eks]'") from error
    return KubectlV35Layer(scope, "Kubectl")


def _acknowledge(cluster: eks.Cluster) -> None:
    """Says of what CDK makes for a cluster why it is as it is."""
    why = "People and pipelines reach the API from outside; every call needs an IAM identity that was let in."
    acknowledge(cluster, "AwsSolutions-EKS1", why)
    for policy in _AUTO_MODE_POLICIES:
        why = "Auto Mode asks for this policy, which AWS keeps in step with what it does."
        acknowledge(cluster, managed_policy_rule(policy), why)
    provider = cluster.node.find_child("KubectlProvider")
    for policy in _FUNCTION_POLICIES:
        acknowledge(provider, managed_policy_rule(policy), "CDK's own for the function that applies manifests.")
    handler = provider.node.find_child("Handler")
    stack = cdk.Stack.of(cluster)
    condition = stack.get_logical_id(cast(cdk.CfnElement, handler.node.find_child("HasEcrPublic")))
    function = stack.get_logical_id(cast(cdk.CfnElement, handler.node.default_child))
    public = '["",["arn:",{"Ref":"AWS::Partition"},":iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly"]]'
    optional = f'{{"Fn::If":["{condition}",{{"Fn::Join":{public}}},{{"Ref":"AWS::NoValue"}}]}}'
    acknowledge(provider, f"AwsSolutions-IAM4[Policy::{optional}]", "Charts may be in the public registry of ECR.")
    why = "CDK calls whatever version there is of the one function that applies manifests."
    acknowledge(provider, f"AwsSolutions-IAM5[Resource::<{function}.Arn>:*]", why)
    acknowledge(provider, "AwsSolutions-L1", "The function that applies manifests, and its runtime, are CDK's own.")


def _namespace(fleet: ResolvedFleet) -> Manifest:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/managed-by": "inferfleet"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fleet.file.name, "labels": labels}}


def _network_policies() -> Manifest:
    """Has Auto Mode enforce network policies, which it does not by itself.

    https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
        "data": {"enable-network-policy-controller": "true"},
    }


def _ingress_class() -> list[Manifest]:
    """The class of load balancers that Auto Mode makes; each Ingress says the rest.

    https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
    """
    group, kind = "eks.amazonaws.com", "IngressClassParams"
    parameters = {"apiGroup": group, "kind": kind, "name": INGRESS_CLASS}
    return [
        {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": INGRESS_CLASS}, "spec": {}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": INGRESS_CLASS},
            "spec": {"controller": f"{group}/alb", "parameters": parameters},
        },
    ]


def _node_pool(fleet: ResolvedFleet, service: ResolvedService) -> tuple[str, Manifest | None]:
    """Returns the nodes for a service with GPUs, and their name; the built-in pools serve the rest.

    https://docs.aws.amazon.com/eks/latest/userguide/auto-accelerated.html
    """
    gpus = 1 if service.shared_gpu is not None else service.gpus
    if not gpus:
        return "", None
    capacity = fleet.file.capacity.get(service.spec.capacity or "")
    name = service.spec.capacity if isinstance(capacity, Ec2Capacity) and service.spec.capacity else "gpu"
    most = service.spec.scaling.max if service.spec.scaling is not None else service.count + 1
    architecture = "arm64" if service.spec.architecture == "arm64" else "amd64"
    wanted: dict[str, list[str]] = {"kubernetes.io/arch": [architecture], "karpenter.sh/capacity-type": ["on-demand"]}
    if isinstance(capacity, Ec2Capacity):
        wanted["node.kubernetes.io/instance-type"] = list(capacity.instances)
        wanted["karpenter.sh/capacity-type"] = _purchase(capacity)
        most = capacity.max
    else:
        wanted |= {
            "eks.amazonaws.com/instance-gpu-manufacturer": ["nvidia"],
            "eks.amazonaws.com/instance-category": ["g"],
        }
    pool = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "limits": {_GPU: str(most * gpus)},
            # A GPU that works is left alone: a node goes when it is empty, one at a time.
            "disruption": {
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": f"{_IDLE_SECONDS}s",
                "budgets": [{"nodes": "1"}],
            },
            "template": {
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                    "requirements": [
                        {"key": key, "operator": "In", "values": values} for key, values in wanted.items()
                    ],
                    "taints": [{"key": _GPU, "value": "true", "effect": "NoSchedule"}],
                }
            },
        },
    }
    return name, pool


def _purchase(capacity: Ec2Capacity) -> list[str]:
    """Spot first where the capacity has a share of it: node pools know no shares."""
    return ["spot", "on-demand"] if capacity.spot else ["on-demand"]


def _within(manifest: Manifest, namespace: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


class KubernetesStack(FleetStack):
    """The Kubernetes part of a fleet as a stack. It holds assets, which need a bootstrapped account (`cdk bootstrap`).

    Args:
        scope: The app.
        fleet: The fleet.
        network: Where its nodes run; the existing VPC when left out.
        images: The URI of the image of each service whose target is `eks`, by the service's key.
        folder: Where `config` is.
    """

    def __init__(
        self, scope: Construct, *, fleet: ResolvedFleet, network: FleetNetwork | None, images: Mapping[str, str],
        folder: Path | None,
    ) -> None:  # fmt: skip
        super().__init__(
            scope,
            "kubernetes",
            fleet=fleet,
            description=f"Kubernetes of the fleet {fleet.file.name}",
            synthesizer=cdk.DefaultStackSynthesizer(),
        )
        network = network or FleetNetwork(self, "Network", settings=fleet.file.network)
        self.kubernetes = FleetKubernetes(self, "Kubernetes", fleet=fleet, network=network)
        for service in fleet.services:
            if service.target == "eks":
                self.kubernetes.add(fleet, service, image=images[service.key], folder=folder)
        output(self, "KubernetesClusterName", self.kubernetes.cluster.cluster_name, "The EKS cluster")
        command = f"aws eks update-kubeconfig --name {fleet.cluster} --region {fleet.region}"
        output(self, "KubeconfigCommand", command, "Gives kubectl access to the cluster")

"""Services on EKS: the cluster, nodes for their GPUs, their permissions, and the rendered manifests applied to it."""

import json

import pytest
import yaml

pytest.importorskip("aws_cdk.lambda_layer_kubectl_v35", reason="needs kubectl's layer: pip install 'inferfleet[eks]'")

FLEET = """
name: shop
account: "111122223333"
capacity: {small: {instances: [g6.xlarge, g5.xlarge], max: 4, spot: 50}}
services:
  api:
    kind: api
    target: eks
    image: x/api:1
    gpu: 1
    load_balancer: {}
    scaling: {min: 0, max: 6, cpu: 60, queue: {name: jobs}}
    exec: true
  eyes: {kind: streams, target: eks, capacity: small, image: 'x/eyes:1', gpu: 1, config: cameras.yaml}
"""
CAMERAS = "cameras: [{id: gate, source: {stream: gate}, steps: [detect]}]\nsinks: [{kinesis: events}]\n"
STACK = "shop-kubernetes"


@pytest.fixture(scope="module")
def templates(synthesise):
    return synthesise(FLEET, CAMERAS)


@pytest.fixture(scope="module")
def manifests(templates):
    """What is applied, by kind and name."""
    found = {}
    for item in templates.all("Custom::AWSCDK-EKS-KubernetesResource", STACK).values():
        text = item["Manifest"]
        text = text if isinstance(text, str) else "".join(p if isinstance(p, str) else "x" for p in text["Fn::Join"][1])
        for manifest in json.loads(text):
            found[manifest["kind"], manifest["metadata"]["name"]] = manifest
    return found


def test_the_cluster_is_in_auto_mode_and_logs_all_that_it_decides(templates):
    cluster = templates.only("AWS::EKS::Cluster", STACK)
    assert cluster["Name"] == "shop-cluster"
    assert cluster["ComputeConfig"]["Enabled"] is True
    assert cluster["KubernetesNetworkConfig"]["ElasticLoadBalancing"] == {"Enabled": True}
    assert len(cluster["Logging"]["ClusterLogging"]["EnabledTypes"]) == 5


def test_what_is_applied_is_what_is_rendered(templates, manifests, tmp_path):
    from inferfleet.config.fleet import FleetFile
    from inferfleet.deploy import render
    from inferfleet.deploy.resolve import resolve

    (tmp_path / "cameras.yaml").write_text(CAMERAS)
    fleet = resolve(FleetFile.model_validate(yaml.safe_load(FLEET)))
    rendered = render.files(fleet, render.Format.KUBERNETES, tmp_path)
    for name, text in rendered.items():
        if not name.endswith(".yaml") or "kustomization" in name:
            continue
        expected = yaml.safe_load(text)
        applied = manifests[expected["kind"], expected["metadata"]["name"]]
        assert applied["metadata"]["namespace"] == "shop"
        assert applied.get("spec") == expected.get("spec")
        assert applied.get("data") == expected.get("data")


def test_pods_get_their_permissions_from_an_association_and_nobody_else_takes_the_role(templates):
    associations = templates.all("AWS::EKS::PodIdentityAssociation", STACK).values()
    accounts = {(item["Namespace"], item["ServiceAccount"]) for item in associations}
    assert accounts == {("shop", "api"), ("shop", "eyes"), ("keda", "keda-operator")}
    actions = {action for statement in templates.statements(STACK, "EyesRole") for action in statement["Action"]}
    assert actions == {
        "kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia", "kinesis:DescribeStreamSummary", "kinesis:PutRecords",
    }  # fmt: skip
    roles = templates.all("AWS::IAM::Role", STACK)
    trust = next(item for key, item in roles.items() if "EyesRole" in key)["AssumeRolePolicyDocument"]["Statement"]
    assert {item["Action"] for item in trust} == {"sts:AssumeRole", "sts:TagSession"}
    assert {item["Principal"]["Service"] for item in trust} == {"pods.eks.amazonaws.com"}


def test_exec_asks_for_nothing_where_there_is_no_ecs_exec(templates):
    assert "ssmmessages" not in json.dumps(templates.stacks[STACK]["Resources"])


def test_gpu_nodes_are_of_the_capacity_that_is_named_or_of_any_nvidia_kind(manifests):
    small = manifests["NodePool", "small"]["spec"]
    wanted = {item["key"]: item["values"] for item in small["template"]["spec"]["requirements"]}
    assert wanted["node.kubernetes.io/instance-type"] == ["g6.xlarge", "g5.xlarge"]
    assert wanted["karpenter.sh/capacity-type"] == ["spot", "on-demand"]
    assert small["limits"] == {"nvidia.com/gpu": "4"}
    any_kind = manifests["NodePool", "gpu"]["spec"]
    wanted = {item["key"]: item["values"] for item in any_kind["template"]["spec"]["requirements"]}
    assert wanted["eks.amazonaws.com/instance-gpu-manufacturer"] == ["nvidia"]
    assert any_kind["limits"] == {"nvidia.com/gpu": "6"}
    taint = any_kind["template"]["spec"]["taints"][0]
    tolerated = manifests["Deployment", "api"]["spec"]["template"]["spec"]["tolerations"][0]
    assert (taint["key"], taint["effect"]) == (tolerated["key"], tolerated["effect"])


def test_what_the_manifests_take_for_granted_is_there(templates, manifests):
    assert manifests["IngressClass", "alb"]["spec"]["controller"] == "eks.amazonaws.com/alb"
    assert manifests["Ingress", "api"]["spec"]["ingressClassName"] == "alb"
    assert manifests["ConfigMap", "amazon-vpc-cni"]["data"] == {"enable-network-policy-controller": "true"}
    assert templates.only("AWS::EKS::Addon", STACK)["AddonName"] == "metrics-server"
    assert templates.only("Custom::AWSCDK-EKS-HelmChart", STACK)["Chart"] == "keda"


def test_a_fleet_on_kubernetes_alone_has_no_ecs_cluster_and_no_instances_of_it(templates):
    assert "shop-cluster" not in templates.stacks

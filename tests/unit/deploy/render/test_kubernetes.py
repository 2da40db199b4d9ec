import json

import pytest
import yaml

from inferfleet.deploy import render
from inferfleet.errors import InputError


@pytest.fixture
def rendered(make_fleet):
    """Renders one service on EKS, from what follows its image."""

    def make(more):
        text = f"services: {{api: {{kind: api, target: eks, image: 'x/api:1', {more}}}}}"
        files = render.files(make_fleet(text), render.Format.KUBERNETES)
        return {name: yaml.safe_load(text) if name.endswith(".yaml") else text for name, text in files.items()}

    return make


def test_cpu_and_requests_are_scaled_on_by_one_autoscaler(rendered):
    files = rendered("load_balancer: {}, scaling: {min: 2, max: 10, cpu: 70, requests: 1000}")
    cpu, requests = files["hpa.yaml"]["spec"]["metrics"]
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert requests["pods"]["target"] == {"type": "AverageValue", "averageValue": "1000"}
    assert requests["pods"]["metric"]["name"] in files["README.md"]
    assert "inferfleet_serve_requests_total" in files["README.md"]
    assert "scaledobject.yaml" not in files
    assert "replicas" not in files["deployment.yaml"]["spec"]


def test_a_queue_and_a_metric_are_scaled_on_by_keda(rendered):
    files = rendered(
        "scaling: {min: 0, max: 5, cpu: 60, queue: {name: jobs, per_task: 50},"
        " metric: {namespace: Vision, name: Backlog, dimensions: {Site: a, Line: b}, target: 2.5}}"
    )
    assert "hpa.yaml" not in files
    spec = files["scaledobject.yaml"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 5)
    cpu, queue, metric = spec["triggers"]
    assert cpu["metadata"] == {"value": "60"}
    assert queue["metadata"]["queueURL"] == "https://sqs.us-east-1.amazonaws.com/111122223333/jobs"
    assert (metric["metadata"]["dimensionName"], metric["metadata"]["dimensionValue"]) == ("Site;Line", "a;b")
    assert metric["metadata"]["targetMetricValue"] == "2.5"
    assert {queue["authenticationRef"]["name"], metric["authenticationRef"]["name"]} == {
        files["triggerauthentication.yaml"]["metadata"]["name"]
    }
    assert all(isinstance(value, str) for trigger in spec["triggers"] for value in trigger["metadata"].values())


def test_each_schedule_holds_until_the_next(rendered):
    files = rendered(
        "scaling: {min: 1, max: 9, schedules: [{cron: 'cron(0 8 ? * 2-6 *)', min: 4, max: 9, timezone: Europe/Berlin},"
        " {cron: 'cron(30 19 ? * MON-FRI *)', min: 1, max: 9, timezone: Europe/Berlin}]}"
    )
    day, night = (trigger["metadata"] for trigger in files["scaledobject.yaml"]["spec"]["triggers"])
    assert (day["start"], day["end"], day["desiredReplicas"]) == ("0 8 * * 1-5", "30 19 * * MON-FRI", "4")
    assert (night["start"], night["end"], night["desiredReplicas"]) == (day["end"], day["start"], "1")


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ("[{cron: 'cron(0 8 * * ? *)', min: 4, max: 9}]", "never ends"),
        ("[{cron: 'rate(1 day)', min: 4, max: 9}, {cron: 'cron(0 8 * * ? *)', min: 1, max: 9}]", "does not repeat"),
        ("[{cron: 'cron(0 8 * * ? *)', min: 4, max: 7}, {cron: 'cron(0 9 * * ? *)', min: 1, max: 9}]", "write 9"),
    ],
)
def test_a_schedule_that_kubernetes_cannot_keep_is_an_error(rendered, schedules, message):
    with pytest.raises(InputError, match=rf"services\.api\.scaling\.schedules.*{message}"):
        rendered(f"scaling: {{min: 1, max: 9, schedules: {schedules}}}")


def test_the_load_balancer_is_an_ingress_with_all_that_the_fleet_says_of_it(rendered):
    certificate = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
    waf = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/x/00000000-0000-0000-0000-000000000000"
    files = rendered(
        f"load_balancer: {{public: false, certificate: '{certificate}', waf: '{waf}', paths: [/v1/*, /v2/*],"
        " hosts: [api.example.com], deregistration_seconds: 45}"
    )
    ingress = files["ingress.yaml"]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "api.example.com"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1/*", "/v2/*"]
    settings = {key.partition("/")[2]: value for key, value in ingress["metadata"]["annotations"].items()}
    assert settings["scheme"] == "internal"
    assert json.loads(settings["listen-ports"]) == [{"HTTP": 80}, {"HTTPS": 443}]
    assert (settings["ssl-redirect"], settings["certificate-arn"]) == ("443", certificate)
    assert settings["wafv2-acl-arn"] == waf
    assert settings["healthcheck-path"] == "/ready"
    assert settings["target-group-attributes"] == "deregistration_delay.timeout_seconds=45"
    assert files["service.yaml"]["spec"]["type"] == "ClusterIP"


def test_the_guide_names_what_the_cluster_must_have(rendered):
    text = rendered(
        "load_balancer: {}, deployment: {strategy: canary}, scaling: {queue: {name: jobs}},"
        " secrets: {KEY: 'arn:aws:ssm:us-east-1:111122223333:parameter/k'}"
    )["README.md"]
    for part in ("Secret `api-secrets` with `KEY`", "IngressClass `alb`", "KEDA", "knows no canary"):
        assert part in text
    assert "metrics-server" not in text

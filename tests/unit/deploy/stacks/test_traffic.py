"""Load balancers and scaling."""

from __future__ import annotations

import pytest

BALANCING = "AWS::ElasticLoadBalancingV2::"


def listeners(everything, key):
    return {item["Port"]: item for item in everything.all(f"{BALANCING}Listener", f"vision-{key}").values()}


def attributes(everything, key):
    found = everything.only(f"{BALANCING}LoadBalancer", f"vision-{key}")["LoadBalancerAttributes"]
    return {item["Key"]: item["Value"] for item in found}


def opened(everything, key):
    groups = everything.all("AWS::EC2::SecurityGroup", f"vision-{key}")
    (group,) = [item for name, item in groups.items() if "LoadBalancer" in name]
    return {(rule["CidrIp"], rule["FromPort"]) for rule in group["SecurityGroupIngress"]}


def test_with_a_certificate_https_is_served_and_http_leads_there(everything):
    """RISK 64: the group lets in what the listener serves, and the policy is a current one."""
    found = listeners(everything, "blue")
    assert found[443]["Protocol"] == "HTTPS"
    assert found[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    (redirect,) = found[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    assert opened(everything, "blue") == {("0.0.0.0/0", 80), ("0.0.0.0/0", 443)}


def test_without_a_certificate_http_is_served(everything):
    assert set(listeners(everything, "canary")) == {80}
    assert opened(everything, "canary") == {("0.0.0.0/0", 80)}


def test_an_internal_load_balancer_is_open_to_private_addresses_only(everything):
    assert everything.only(f"{BALANCING}LoadBalancer", "vision-part")["Scheme"] == "internal"
    assert {cidr for cidr, _ in opened(everything, "part")} == {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}


def test_paths_and_hosts_lead_to_the_service_and_the_rest_to_nothing(everything):
    rule = everything.only(f"{BALANCING}ListenerRule", "vision-blue")
    assert {item["Field"]: item["Values"] for item in rule["Conditions"]} == {
        "path-pattern": ["/*"],
        "host-header": ["api.example.com"],
    }
    (rest,) = listeners(everything, "blue")[443]["DefaultActions"]
    assert rest["FixedResponseConfig"]["StatusCode"] == "404"


def test_tasks_take_requests_from_the_load_balancer_alone(everything):
    rules = [
        rule
        for rule in everything.all("AWS::EC2::SecurityGroupIngress", "vision-blue").values()
        if "Endpoints" not in str(rule["GroupId"])
    ]
    (rule,) = rules
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)
    assert "LoadBalancer" in rule["SourceSecurityGroupId"]["Fn::GetAtt"][0]


def test_access_logs_go_to_a_private_bucket_that_forgets(everything):
    assert attributes(everything, "blue")["access_logs.s3.enabled"] == "true"
    bucket = everything.only("AWS::S3::Bucket", "vision-blue")
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 90
    assert not everything.all("AWS::S3::Bucket", "vision-canary")


def test_deletion_protection_and_web_acl_are_as_the_file_says(everything):
    assert attributes(everything, "blue")["deletion_protection.enabled"] == "true"
    assert attributes(everything, "canary")["deletion_protection.enabled"] == "false"
    assert "webacl/a/" in everything.only("AWS::WAFv2::WebACLAssociation", "vision-blue")["WebACLArn"]


def test_the_target_group_asks_for_readiness_and_lets_requests_finish(everything):
    groups = everything.all(f"{BALANCING}TargetGroup", "vision-blue").values()
    assert len(groups) == 2
    for group in groups:
        assert (group["TargetType"], group["Port"], group["HealthCheckPath"]) == ("ip", 8080, "/ready")
        assert {"Key": "deregistration_delay.timeout_seconds", "Value": "30"} in group["TargetGroupAttributes"]


def policies(everything, key):
    found = everything.all("AWS::ApplicationAutoScaling::ScalingPolicy", f"vision-{key}").values()
    configuration = "TargetTrackingScalingPolicyConfiguration"
    return {item["PolicyName"].rpartition("-")[2]: item[configuration] for item in found}


def test_the_autoscaler_owns_the_number_of_tasks(everything):
    for key in ("blue", "part"):
        assert "DesiredCount" not in everything.only("AWS::ECS::Service", f"vision-{key}")
    assert everything.only("AWS::ECS::Service", "vision-cameras")["DesiredCount"] == 1
    target = everything.only("AWS::ApplicationAutoScaling::ScalableTarget", "vision-blue")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert target["ResourceId"] == "service/vision-cluster/blue-service"


def test_requests_are_counted_by_the_label_that_aws_takes(everything):
    """REJ 43, FAIL 44: a label that begins with loadbalancer/ is refused."""
    label = policies(everything, "part")["requests"]["PredefinedMetricSpecification"]["ResourceLabel"]
    separator, parts = label["Fn::Join"]
    assert separator == "/"
    assert [part["Fn::GetAtt"][1] for part in parts] == ["LoadBalancerFullName", "TargetGroupFullName"]


def test_requests_are_counted_on_both_sides_where_traffic_is_shifted(everything):
    specification = policies(everything, "blue")["requests"]["CustomizedMetricSpecification"]
    *counted, total = specification["Metrics"]
    groups = {
        dimension["Value"]["Fn::GetAtt"][0]
        for query in counted
        for dimension in query["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "TargetGroup"
    }
    assert groups == set(everything.all(f"{BALANCING}TargetGroup", "vision-blue"))
    assert total["Expression"] == "FILL(group1, 0) + FILL(group2, 0)"
    assert policies(everything, "blue")["cpu"]["TargetValue"] == 60


@pytest.mark.parametrize(("name", "namespace", "target"), [("queue", "AWS/SQS", 20), ("metric", "App", 5)])
def test_a_backlog_is_counted_for_each_running_task_and_can_start_the_first(everything, name, namespace, target):
    """RISK 63: at 0 tasks there is no CPU to scale on."""
    policy = policies(everything, "part")[name]
    assert policy["TargetValue"] == target
    waiting, running, result = policy["CustomizedMetricSpecification"]["Metrics"]
    assert waiting["MetricStat"]["Metric"]["Namespace"] == namespace
    assert running["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert [query["ReturnData"] for query in (waiting, running, result)] == [False, False, True]
    assert result["Expression"].endswith(", waiting)")


def test_limits_follow_the_clock(everything):
    (action,) = everything.only("AWS::ApplicationAutoScaling::ScalableTarget", "vision-part")["ScheduledActions"]
    assert (action["Schedule"], action["Timezone"]) == ("cron(0 8 * * ? *)", "Europe/Rome")
    assert action["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 4}

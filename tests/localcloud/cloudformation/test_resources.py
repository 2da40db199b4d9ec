"""Alarms, budgets, web ACLs, and what the CDK adds: made, changed, replaced and removed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.localcloud.cloudformation.emulator import DEADLINE_S, Emulator, Stack, error_of
from tests.localcloud.cloudformation.template import Name, att, network, ref, resource


def test_a_web_acl_guards_its_load_balancer(aws: Emulator, stack: Stack) -> None:
    wafv2 = aws.client("wafv2")
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "acl"}
    wanted = network() | {
        "Zone": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b"),
        "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet"), ref("Zone")]),
        "Acl": resource("WAFv2::WebACL", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visible),
        "Guard": resource(
            "WAFv2::WebACLAssociation", ResourceArn=ref("Balancer"), WebACLArn=att("Acl", "Arn")
        ),
    }  # fmt: skip
    assert stack.create(wanted) == "CREATE_COMPLETE", stack.failures()
    balancer = stack.ids()["Balancer"]
    guarded = wafv2.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]
    assert guarded["ARN"] == stack.ids()["Guard"].split("|")[0]
    del wanted["Guard"]
    assert stack.update(wanted) == "UPDATE_COMPLETE", stack.failures()
    answer = error_of(wafv2.get_web_acl_for_resource, ResourceArn=balancer)
    assert answer in ("WAFNonexistentItemException", "")


def test_a_composite_alarm_follows_its_rule(aws: Emulator, stack: Stack, name: Name) -> None:
    cloudwatch = aws.client("cloudwatch")
    alarm = resource(
        "CloudWatch::Alarm", AlarmName=name("alarm"), Namespace="Fleet", MetricName=name("Lag"), Statistic="Maximum",
        Period=60, EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    both = resource(
        "CloudWatch::CompositeAlarm", AlarmName=name("both"), AlarmRule={"Fn::Sub": 'ALARM("${Alarm}")'},
        AlarmDescription="before",
    )  # fmt: skip
    assert stack.create({"Alarm": alarm, "Both": both}) == "CREATE_COMPLETE", stack.failures()
    cloudwatch.set_alarm_state(AlarmName=name("alarm"), StateValue="ALARM", StateReason="test")
    asked = {"AlarmNames": [name("both")], "AlarmTypes": ["CompositeAlarm"]}
    (found,) = cloudwatch.describe_alarms(**asked)["CompositeAlarms"]
    assert found["StateValue"] == "ALARM"
    both["Properties"]["AlarmDescription"] = "after"
    assert stack.changes({"Alarm": alarm, "Both": both}) == {"Both": ("Modify", "False")}
    assert stack.update({"Alarm": alarm, "Both": both}) == "UPDATE_COMPLETE", stack.failures()
    (found,) = cloudwatch.describe_alarms(**asked)["CompositeAlarms"]
    assert (found["AlarmDescription"], found["StateValue"]) == ("after", "ALARM")


ERRORS = {"failed": 2.0, "requests": 4.0}


def test_an_alarm_on_metric_math_follows_its_expression(aws: Emulator, stack: Stack, name: Name) -> None:
    cloudwatch = aws.client("cloudwatch")

    def query(part: str) -> dict[str, Any]:
        metric = {"Namespace": name("Fleet"), "MetricName": part, "Dimensions": [{"Name": "Service", "Value": "api"}]}
        return {"Id": part, "ReturnData": False, "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum"}}

    def alarm(above: int) -> dict[str, Any]:
        share = {"Id": "share", "Label": "errors", "Expression": "100 * FILL(failed, 0) / requests"}
        return {
            "Alarm": resource(
                "CloudWatch::Alarm", AlarmName=name("alarm"), EvaluationPeriods=1, Threshold=above,
                ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
                Metrics=[share, query("failed"), query("requests")], Tags=[{"Key": "For", "Value": "errors"}],
            )
        }  # fmt: skip

    assert stack.create(alarm(30)) == "CREATE_COMPLETE", stack.failures()
    until = time.monotonic() + DEADLINE_S
    while _state(cloudwatch, name) != "ALARM":
        assert time.monotonic() < until
        dimensions = [{"Name": "Service", "Value": "api"}]
        data = [{"MetricName": part, "Dimensions": dimensions, "Value": value} for part, value in ERRORS.items()]
        cloudwatch.put_metric_data(Namespace=name("Fleet"), MetricData=data)
        time.sleep(0.1)
    arn = cloudwatch.describe_alarms(AlarmNames=[name("alarm")])["MetricAlarms"][0]["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "For", "Value": "errors"}]
    assert stack.changes(alarm(90)) == {"Alarm": ("Modify", "False")}
    assert stack.update(alarm(90)) == "UPDATE_COMPLETE", stack.failures()
    wrong = alarm(90)
    wrong["Alarm"]["Properties"]["Metrics"][0]["Expression"] = "100 * faild / requests"
    assert stack.update(wrong) == "UPDATE_ROLLBACK_COMPLETE"
    assert "use what is not there" in " ".join(stack.failures())


def _state(cloudwatch: Any, name: Name) -> str:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name("alarm")])["MetricAlarms"]
    return str(found["StateValue"])


def budget(name: Name, amount: float, whom: str) -> dict[str, Any]:
    limit = {"BudgetName": name("budget"), "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    limit["BudgetLimit"] = {"Amount": amount, "Unit": "USD"}  # type: ignore[assignment]
    notification = {"ComparisonOperator": "GREATER_THAN", "NotificationType": "ACTUAL", "Threshold": 80}
    subscribers = [{"SubscriptionType": "EMAIL", "Address": whom}]
    notified = [{"Notification": notification, "Subscribers": subscribers}]
    return {"Budget": resource("Budgets::Budget", Budget=limit, NotificationsWithSubscribers=notified)}


def test_a_budget_changes_its_limit_and_tells_its_subscribers(aws: Emulator, stack: Stack, name: Name) -> None:
    budgets = aws.client("budgets")
    asked = {"AccountId": "000000000000", "BudgetName": name("budget")}
    assert stack.create(budget(name, 100, "a@example.com")) == "CREATE_COMPLETE", stack.failures()
    assert float(budgets.describe_budget(**asked)["Budget"]["BudgetLimit"]["Amount"]) == 100
    assert len(budgets.describe_notifications_for_budget(**asked)["Notifications"]) == 1
    assert stack.update(budget(name, 200, "a@example.com")) == "UPDATE_COMPLETE", stack.failures()
    assert float(budgets.describe_budget(**asked)["Budget"]["BudgetLimit"]["Amount"]) == 200
    assert stack.changes(budget(name, 200, "b@example.com")) == {"Budget": ("Modify", "True")}
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert error_of(budgets.describe_budget, **asked) == "NotFoundException"


def test_a_bucket_is_emptied_before_it_goes(aws: Emulator, stack: Stack, name: Name) -> None:
    s3 = aws.client("s3")
    versions = {"Status": "Enabled"}
    wanted = {
        "Bucket": resource("S3::Bucket", BucketName=name("bucket"), VersioningConfiguration=versions),
        "Empty": {
            "Type": "Custom::S3AutoDeleteObjects",
            "Properties": {"ServiceToken": "arn:aws:lambda:none", "BucketName": ref("Bucket")},
        },
    }
    assert stack.create(wanted) == "CREATE_COMPLETE", stack.failures()
    for body in (b"one", b"two"):
        s3.put_object(Bucket=name("bucket"), Key="picture", Body=body)
    s3.delete_object(Bucket=name("bucket"), Key="picture")
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert name("bucket") not in {item["Name"] for item in s3.list_buckets()["Buckets"]}


@pytest.mark.parametrize(("removal", "stays"), [("destroy", False), ("retain", True)])
def test_the_retention_of_a_log_group_is_set_and_changed(
    aws: Emulator, stack: Stack, name: Name, removal: str, stays: bool
) -> None:
    logs = aws.client("logs")

    def wanted(days: int) -> dict[str, Any]:
        properties = {"LogGroupName": name("group"), "RetentionInDays": str(days), "RemovalPolicy": removal}
        return {"Retention": {"Type": "Custom::LogRetention", "Properties": {"ServiceToken": "none", **properties}}}

    def retention() -> list[int]:
        found = logs.describe_log_groups(logGroupNamePrefix=name("group"))["logGroups"]
        return [item["retentionInDays"] for item in found]

    assert stack.create(wanted(7)) == "CREATE_COMPLETE", stack.failures()
    assert retention() == [7]
    assert stack.update(wanted(14)) == "UPDATE_COMPLETE", stack.failures()
    assert retention() == [14]
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert bool(retention()) == stays

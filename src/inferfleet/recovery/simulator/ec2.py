"""EC2's and Auto Scaling's calls on a small cluster, and what little of SNS and CloudWatch Logs goes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from inferfleet.recovery.simulator.errors import ApiError

if TYPE_CHECKING:
    from inferfleet.recovery.simulator.aws import Json, SimInstance, SmallCluster


class Ec2Calls:
    """Answers the operations of EC2 and its neighbours, by their names."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.cluster = cluster
        self.operations: dict[str, Callable[[Json], Json]] = {
            "RebootInstances": self._reboot_instances,
            "DescribeInstanceStatus": self._describe_instance_status,
            "DescribeAutoScalingInstances": self._describe_auto_scaling_instances,
            "EnterStandby": self._enter_standby,
            "ExitStandby": self._exit_standby,
            "TerminateInstanceInAutoScalingGroup": self._terminate_instance_in_auto_scaling_group,
            "Publish": self._publish,
            "GetLogEvents": self._get_log_events,
        }

    def _reboot_instances(self, given: Json) -> Json:
        self.cluster.rebooted += given["InstanceIds"]
        return {}

    def _describe_instance_status(self, given: Json) -> Json:
        items = [self.cluster.instances[key] for key in given["InstanceIds"] if key in self.cluster.instances]
        return {
            "InstanceStatuses": [
                {
                    "InstanceId": item.id,
                    "InstanceStatus": {"Status": "impaired" if item.impaired else "ok"},
                    "SystemStatus": {"Status": "ok"},
                    "Events": item.scheduled,
                }
                for item in items
            ]
        }

    def _describe_auto_scaling_instances(self, given: Json) -> Json:
        items = [self.cluster.instances[key] for key in given["InstanceIds"] if key in self.cluster.instances]
        return {
            "AutoScalingInstances": [
                {
                    "InstanceId": item.id,
                    "AutoScalingGroupName": "gpu-nodes",
                    "AvailabilityZone": "us-east-1a",
                    "LifecycleState": item.lifecycle,
                    "HealthStatus": "HEALTHY",
                    "ProtectedFromScaleIn": False,
                }
                for item in items
                if item.grouped and not item.gone
            ]
        }

    def _enter_standby(self, given: Json) -> Json:
        serving = sum(item.grouped and item.lifecycle == "InService" for item in self.cluster.instances.values())
        if given["ShouldDecrementDesiredCapacity"] and serving - len(given["InstanceIds"]) < self.cluster.least:
            raise ApiError("ValidationError", f"AutoScalingGroup gpu-nodes has min-size={self.cluster.least}")
        for key in given["InstanceIds"]:
            self._in_group(key, "InService").lifecycle = "Standby"
        return {"Activities": []}

    def _exit_standby(self, given: Json) -> Json:
        for key in given["InstanceIds"]:
            self._in_group(key, "Standby").lifecycle = "InService"
        return {"Activities": []}

    def _in_group(self, node: str, lifecycle: str) -> SimInstance:
        item = self.cluster.instances[node]
        if not item.grouped or item.lifecycle != lifecycle:
            raise ApiError("ValidationError", f"The instance {node} is in {item.lifecycle}, not in {lifecycle}")
        return item

    def _terminate_instance_in_auto_scaling_group(self, given: Json) -> Json:
        self._in_group(given["InstanceId"], "InService").lifecycle = "Terminating"
        self.cluster.terminated.append(given["InstanceId"])
        return {}

    def _publish(self, given: Json) -> Json:
        self.cluster.published.append(given)
        return {"MessageId": f"message-{len(self.cluster.published)}"}

    def _get_log_events(self, given: Json) -> Json:
        lines = self.cluster.logs.get((given["logGroupName"], given["logStreamName"]))
        if lines is None:
            raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
        first = "nextToken" not in given
        return {
            "events": [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines] if first else [],
            "nextForwardToken": "f/end",
            "nextBackwardToken": "b/start",
        }

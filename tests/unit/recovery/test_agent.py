"""The node agent, with a fake NVML at the library's boundary: what it sees, and that it is reported by both ways."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from inferfleet.recovery.aws.agent import Agent, NvmlGpus, Place, read_boot
from inferfleet.recovery.aws.settings import BOOT_ATTRIBUTE, EVIDENCE_ATTRIBUTE
from inferfleet.recovery.aws.translate import agent_evidence, agent_maintenance, node_seen, pinned_evidence
from inferfleet.recovery.core.observations import Maintenance
from inferfleet.recovery.core.terms import Rung
from inferfleet.recovery.core.xid import load_catalog

pynvml = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
ARN = "arn:aws:ecs:us-east-1:1:container-instance/gpu/1"


class FakeNvml:
    """NVML's own constants and error classes, with GPUs that do as they are told."""

    def __init__(self, gpus: int = 2) -> None:
        self.gpus = [f"GPU-{at}" for at in range(gpus)]
        self.xids: list[tuple[str, int]] = []
        self.actions = dict.fromkeys(self.gpus, 0)
        self.lost: set[str] = set()
        self.registered: list[str] = []

    def __getattr__(self, name: str):
        return getattr(pynvml, name)

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, at: int) -> str:
        return self.gpus[at]

    def nvmlDeviceGetUUID(self, handle: str) -> bytes:
        return handle.encode()

    def nvmlEventSetCreate(self) -> object:
        return object()

    def nvmlDeviceRegisterEvents(self, handle: str, kind: int, events: object) -> None:
        assert kind == pynvml.nvmlEventTypeXidCriticalError
        self.registered.append(handle)

    def nvmlEventSetWait_v2(self, events: object, timeout: int) -> SimpleNamespace:
        if not self.xids:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
        gpu, xid = self.xids.pop(0)
        return SimpleNamespace(device=gpu, eventData=xid)

    def nvmlDeviceGetFieldValues(self, handle: str, ids: list[int]) -> list[SimpleNamespace]:
        assert ids == [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION]
        if handle in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return [SimpleNamespace(nvmlReturn=pynvml.NVML_SUCCESS, value=SimpleNamespace(uiVal=self.actions[handle]))]


class Aws:
    """Keeps what ECS and EventBridge are told."""

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.sent: list[dict] = []
        self.fails = False

    def put_attributes(self, cluster: str, attributes: list[dict]) -> None:
        self.attributes |= {item["name"]: item["value"] for item in attributes}

    def delete_attributes(self, cluster: str, attributes: list[dict]) -> None:
        for item in attributes:
            self.attributes.pop(item["name"], None)

    def put_events(self, Entries: list[dict]) -> None:
        if self.fails:
            from botocore.exceptions import ClientError

            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents")
        self.sent += [json.loads(item["Detail"]) for item in Entries]

    def instance(self) -> dict:
        held = [{"name": name, "value": value} for name, value in self.attributes.items()]
        return {"ec2InstanceId": "i-1", "containerInstanceArn": ARN, "attributes": held, "agentConnected": True}


@pytest.fixture
def parts() -> tuple[FakeNvml, Aws, Agent]:
    nvml, aws = FakeNvml(), Aws()
    place = Place("gpu", "i-1", ARN, "0f3c-boot", 1000.0)
    return nvml, aws, Agent(place, NvmlGpus(nvml), ecs=aws, events=aws, clock=lambda: 2000.0)


def test_an_xid_is_reported_by_event_and_by_attribute_alike(parts):
    nvml, aws, agent = parts
    nvml.xids.append(("GPU-1", 79))
    assert agent.round() == 1
    by_event = agent_evidence(aws.sent[-1], load_catalog())
    by_attribute = pinned_evidence(aws.instance(), load_catalog())
    assert by_event == by_attribute
    assert (by_event.node, by_event.rung, by_event.gpu, by_event.boot_id) == ("i-1", Rung.REBOOT, "GPU-1", "0f3c-boot")


def test_all_gpus_are_watched_and_quiet_ones_report_nothing(parts):
    nvml, aws, agent = parts
    assert nvml.registered == ["GPU-0", "GPU-1"]
    assert agent.round() == 0
    assert aws.sent == []


def test_a_recovery_action_is_reported_once_although_health_is_good(parts):
    nvml, aws, agent = parts
    nvml.actions["GPU-0"] = pynvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT
    assert agent.round() == 1
    assert agent.round() == 0
    assert agent_evidence(aws.sent[-1], load_catalog()).rung == Rung.REBOOT


def test_a_lost_gpu_is_reported_as_fallen_off_the_bus(parts):
    nvml, aws, agent = parts
    nvml.lost.add("GPU-1")
    agent.round()
    assert aws.sent[-1]["xid"] == 79


def test_a_throttled_event_does_not_keep_the_attribute_from_being_set(parts):
    nvml, aws, agent = parts
    aws.fails = True
    nvml.xids.append(("GPU-0", 95))
    agent.round()
    assert aws.attributes[EVIDENCE_ATTRIBUTE].startswith("95/GPU-0/2000/0f3c-boot")


def test_a_new_boot_takes_back_the_evidence_of_the_last_one(parts):
    _, aws, agent = parts
    aws.attributes[EVIDENCE_ATTRIBUTE] = "79//1/old/"
    agent.hello()
    assert aws.attributes == {BOOT_ATTRIBUTE: "0f3c-boot@1000"}
    assert node_seen(aws.instance()).boot.id == "0f3c-boot"


def test_attribute_values_stay_within_what_ecs_takes(parts):
    nvml, aws, agent = parts
    nvml.xids.append(("GPU-" + "f" * 60, 145))
    agent.round()
    nvml.actions["GPU-0"] = pynvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET
    agent.round()
    assert re.fullmatch(r"[A-Za-z0-9._@/\\: -]{1,128}", aws.attributes[EVIDENCE_ATTRIBUTE])
    assert pinned_evidence(aws.instance(), load_catalog()).rung == Rung.RESET_GPU


def test_the_boot_is_read_from_the_kernel(tmp_path):
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("abc-1\n")
    (tmp_path / "stat").write_text("cpu 1 2\nbtime 1700000000\nprocesses 5\n")
    assert read_boot(tmp_path) == ("abc-1", 1700000000.0)


def test_maintenance_that_ec2_has_scheduled_is_told_once():
    aws = Aws()
    planned = {
        "EventId": "instance-event-1",
        "Code": "system-reboot",
        "NotBefore": "21 Jan 2026 09:00:43 GMT",
        "State": "active",
    }
    done = {**planned, "EventId": "instance-event-0", "State": "completed"}
    now = [1_000.0]
    place = Place("gpu", "i-1", ARN, "0f3c-boot", 1000.0)
    agent = Agent(
        place, NvmlGpus(FakeNvml()), ecs=aws, events=aws, scheduled=lambda: [done, planned], clock=lambda: now[0]
    )
    agent.round()
    now[0] += 3600
    agent.round()
    (told,) = [item for item in aws.sent if "scheduled" in item]
    assert agent_maintenance(told) == Maintenance("i-1", "system-reboot", 1_768_986_043.0)

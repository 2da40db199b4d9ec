"""The node agent: a daemon on each GPU instance that reports Xids, NVML's recovery actions, the boot and maintenance.

Each finding goes out twice: as an event to EventBridge, which is fast, and as an attribute of the container instance,
which the reconciler reads when the event was lost. What EC2 has scheduled the reconciler sees by itself.
"""

import json
import logging
import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Protocol

from inferfleet.recovery.aws.settings import BOOT_ATTRIBUTE, EVIDENCE_ATTRIBUTE

logger = logging.getLogger("inferfleet.recovery.agent")
DETAIL_TYPE = "inferfleet GPU Finding"
SOURCE = "inferfleet.recovery"
_WAIT_MS = 5_000
_INTROSPECTION = "http://localhost:51678/v1/metadata"
"""The ECS agent's introspection endpoint, on the host's network."""
_IMDS = "http://169.254.169.254/latest"
_SCHEDULED = f"{_IMDS}/meta-data/events/maintenance/scheduled"
_ASK_EVERY = 60.0
"""Seconds between looks at what EC2 has scheduled."""
_VALUE_LIMIT = 128
_TEXT_LIMIT = 60
_UNFIT = re.compile(r"[^A-Za-z0-9._@:\\ -]")
"""An attribute's value takes 128 letters, digits, spaces and few marks (ECS API reference); `/` parts a finding's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a GPU. `xid` is 0 if it is NVML that asks for an action, named in `text`."""

    gpu: str
    xid: int
    text: str


class Gpus(Protocol):
    """The GPUs of this node."""

    def findings(self) -> Iterator[Finding]:
        """Waits a few seconds for something to go wrong; yields what did."""


class NvmlGpus:
    """The GPUs as NVML shows them.

    Args:
        nvml: The `pynvml` module, or what behaves like it.
    """

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        nvml.nvmlInit()
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount())]
        self._actions: dict[str, int] = {}
        self._set = nvml.nvmlEventSetCreate()
        for handle in self._handles:
            nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, self._set)
        self._names = {
            nvml.NVML_GPU_RECOVERY_ACTION_GPU_RESET: "GPU Reset Required",
            nvml.NVML_GPU_RECOVERY_ACTION_NODE_REBOOT: "Node Reboot Required",
            nvml.NVML_GPU_RECOVERY_ACTION_DRAIN_P2P: "Drain P2P",
            nvml.NVML_GPU_RECOVERY_ACTION_DRAIN_AND_RESET: "Drain and Reset",
        }

    def findings(self) -> Iterator[Finding]:
        """Waits for an Xid, then asks each GPU for its recovery action: one may be asked for while health is good."""
        nvml = self._nvml
        try:
            event = nvml.nvmlEventSetWait_v2(self._set, _WAIT_MS)
            yield Finding(self._uuid(event.device), int(event.eventData), "")
        except nvml.NVMLError as error:
            if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
                yield Finding("", 79, "NVML: GPU is lost")
            elif error.value != nvml.NVML_ERROR_TIMEOUT:
                raise
        for handle in self._handles:
            yield from self._asked_of(handle)

    def _asked_of(self, handle: Any) -> Iterator[Finding]:
        nvml = self._nvml
        try:
            value = nvml.nvmlDeviceGetFieldValues(handle, [nvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])[0]
            uuid = self._uuid(handle)
        except nvml.NVMLError as error:
            if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
                yield Finding("", 79, "NVML: GPU is lost")
            return
        if value.nvmlReturn != nvml.NVML_SUCCESS:
            return
        action = int(value.value.uiVal)
        if action != self._actions.get(uuid, 0) and action in self._names:
            yield Finding(uuid, 0, self._names[action])
        self._actions[uuid] = action

    def _uuid(self, handle: Any) -> str:
        uuid = self._nvml.nvmlDeviceGetUUID(handle)
        return uuid.decode() if isinstance(uuid, bytes) else str(uuid)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the agent runs."""

    cluster: str
    node: str
    container_instance: str
    boot: str
    booted_at: float


class Agent:
    """Reports what the GPUs find."""

    def __init__(
        self,
        place: Place,
        gpus: Gpus,
        *,
        ecs: Any,
        events: Any,
        scheduled: Callable[[], list[dict[str, Any]]] = list,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.place = place
        self.gpus = gpus
        self.ecs = ecs
        self.events = events
        self.scheduled = scheduled
        self.clock = clock
        self._asked_at = 0.0
        self._told: set[str] = set()

    def hello(self) -> None:
        """Tells the boot, and takes back the evidence of the last one."""
        self._pin(BOOT_ATTRIBUTE, f"{self.place.boot}@{self.place.booted_at:.0f}")
        attribute = {
            "name": EVIDENCE_ATTRIBUTE,
            "targetType": "container-instance",
            "targetId": self.place.container_instance,
        }
        self._quietly(lambda: self.ecs.delete_attributes(cluster=self.place.cluster, attributes=[attribute]))
        self._send({"xid": 0, "gpu": "", "text": "None", "at": self.clock()})

    def round(self) -> int:
        """Waits once for findings and reports them, then what EC2 has scheduled lately; returns how many findings."""
        count = 0
        for finding in self.gpus.findings():
            count += 1
            self.report(finding)
        if self.clock() >= self._asked_at + _ASK_EVERY:
            self._asked_at = self.clock()
            self._tell_maintenance()
        return count

    def _tell_maintenance(self) -> None:
        for event in self.scheduled():
            key = str(event.get("EventId", event))
            if event.get("State", "active") == "active" and key not in self._told:
                self._told.add(key)
                planned = {"code": event["Code"], "not_before": read_date(event["NotBefore"])}
                self._send({"xid": 0, "gpu": "", "text": "None", "at": self.clock(), "scheduled": planned})

    def report(self, finding: Finding) -> None:
        """Reports one finding, by both ways; one way's failure does not stop the other."""
        now = self.clock()
        text = _UNFIT.sub(" ", finding.text)[:_TEXT_LIMIT]
        logger.error("GPU %s: Xid %d %s", finding.gpu, finding.xid, finding.text)
        self._send({"xid": finding.xid, "gpu": finding.gpu, "text": finding.text, "at": now})
        gpu = finding.gpu if len(finding.gpu) + len(self.place.boot) + len(text) < 100 else ""  # noqa: PLR2004
        value = f"{finding.xid}/{gpu}/{now:.0f}/{self.place.boot}/{text}"
        self._pin(EVIDENCE_ATTRIBUTE, value[:_VALUE_LIMIT].strip())

    def _send(self, detail: dict[str, Any]) -> None:
        place = self.place
        full = {
            **detail,
            "cluster": place.cluster,
            "node": place.node,
            "boot": place.boot,
            "booted_at": place.booted_at,
        }
        entry = {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": json.dumps(full)}
        self._quietly(lambda: self.events.put_events(Entries=[entry]))

    def _pin(self, name: str, value: str) -> None:
        attribute = {
            "name": name,
            "value": value,
            "targetType": "container-instance",
            "targetId": self.place.container_instance,
        }
        self._quietly(lambda: self.ecs.put_attributes(cluster=self.place.cluster, attributes=[attribute]))

    def _quietly(self, call: Callable[[], Any]) -> None:
        """An agent that cannot report goes on looking: the next finding may get through."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            call()
        except (BotoCoreError, ClientError) as error:
            logger.warning("not reported: %s", error)


def find_place(proc: Path = Path("/proc")) -> Place:
    """Asks the kernel, the ECS agent and the instance metadata where this is.

    Raises:
        OSError: If one of them does not answer: an agent that does not know its node reports nothing.
    """
    with urllib.request.urlopen(_INTROSPECTION, timeout=5) as answer:
        metadata = json.load(answer)
    node = _get(f"{_IMDS}/meta-data/instance-id", {"X-aws-ec2-metadata-token": _token()})
    boot, at = read_boot(proc)
    return Place(metadata["Cluster"].rsplit("/", 1)[-1], node, metadata["ContainerInstanceArn"], boot, at)


def scheduled_events() -> list[dict[str, Any]]:
    """Asks the instance metadata what EC2 has scheduled; nothing, where it does not answer: it is asked again."""
    try:
        found: list[dict[str, Any]] = json.loads(_get(_SCHEDULED, {"X-aws-ec2-metadata-token": _token()}))
    except (OSError, ValueError) as error:
        logger.warning("scheduled events are not known: %s", error)
        return []
    return found


def read_date(text: str) -> float:
    """Seconds since the epoch from a date as the instance metadata writes it: `21 Jan 2026 09:00:43 GMT`."""
    return parsedate_to_datetime(text).timestamp()


def _token() -> str:
    return _get(f"{_IMDS}/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}, "PUT")


def read_boot(proc: Path) -> tuple[str, float]:
    """The kernel's boot id and when it booted; both are the host's, in a container too."""
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    lines = (proc / "stat").read_text().splitlines()
    return boot, float(next(line.split()[1] for line in lines if line.startswith("btime ")))


def _get(url: str, headers: dict[str, str], method: str = "GET") -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method), timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def main() -> None:
    """`python -m inferfleet.recovery.aws.agent`: reports until it is stopped."""
    from importlib import import_module

    import boto3

    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))
    make_client: Any = boto3.client
    agent = Agent(
        find_place(),
        NvmlGpus(import_module("pynvml")),
        ecs=make_client("ecs"),
        events=make_client("events"),
        scheduled=scheduled_events,
    )
    agent.hello()
    while True:
        agent.round()


if __name__ == "__main__":
    main()

"""The first files of a fleet: from a template, or from the `.env` file of a deployment that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inferfleet.config.fleet_network import Network
from inferfleet.errors import InputError


class Template(StrEnum):
    """What a fleet can begin as."""

    CAMERAS = "kvs-infer"
    API = "ml-inference"
    RECOVERY = "gpu-recovery"


@dataclass(frozen=True)
class Start:
    """The first files.

    Attributes:
        files: Texts by name.
        notes: What became of the variables that are no setting of a fleet.
    """

    files: dict[str, str]
    notes: tuple[str, ...] = ()


def from_template(template: Template, name: str, region: str) -> Start:
    """Returns a template's files under another name.

    Raises:
        InputError: The name cannot be a fleet's.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", name):
        raise InputError(f"{name!r} cannot name a fleet; use small letters, digits and hyphens, a letter first")
    folder = Path(__file__).parent / "templates" / template
    files = {path.name: path.read_text() for path in sorted(folder.glob("*.yaml"))}
    text = files["fleet.yaml"].replace("{build: ../.., dockerfile: docker/Dockerfile", "{build: .")
    text = re.sub(rf"\b{template}\b", name, text)
    text = re.sub(r"\$\{AWS_REGION:-[\w-]+\}", f"${{AWS_REGION:-{region}}}", text)
    return Start({**files, "fleet.yaml": text})


# Values of one account; they stay in the .env file.
_OF_THE_ACCOUNT = ("AWS_ACCOUNT_ID", "VPC_ID", "SECURITY_GROUP_ID", "CERTIFICATE_ARN", "SNS_TOPIC_ARN")
_SUBNET = re.compile(r"(PRIVATE|PUBLIC)_SUBNET_\w+$")
_TRUE = ("true", "1", "yes", "on", "enabled")

_INSTANCE = ("INSTANCE_TYPE", "EC2_INSTANCE_TYPE", "GPU_INSTANCE_TYPE", "ECS_INSTANCE_TYPE")
_LEAST = ("ASG_MIN_SIZE", "MIN_SIZE", "MIN_INSTANCES", "MIN_CAPACITY")
_MOST = ("ASG_MAX_SIZE", "MAX_SIZE", "MAX_INSTANCES", "MAX_CAPACITY")
_COUNT = ("DESIRED_COUNT", "SERVICE_DESIRED_COUNT", "TASK_COUNT")
_SPOT = ("USE_SPOT_INSTANCES", "USE_SPOT", "ENABLE_SPOT", "SPOT_INSTANCES")
_ENDPOINTS = ("ENABLE_VPC_ENDPOINTS", "USE_VPC_ENDPOINTS", "VPC_ENDPOINTS", "CREATE_VPC_ENDPOINTS")
_RETENTION = ("LOG_RETENTION_DAYS", "LOG_RETENTION", "CLOUDWATCH_LOG_RETENTION_DAYS")
_EMAIL = ("ALERT_EMAIL", "NOTIFICATION_EMAIL", "ALARM_EMAIL")
_RECOVERY = {
    "TASK_TABLE_NAME": "task_table",
    "JOB_TABLE_NAME": "job_table",
    "NODE_TABLE_NAME": "node_table",
    "DCGM_HEALTH_CHECK_TASK": "diagnosis_task",
    "LAMBDA_TIMEOUT_SECONDS": "timeout_seconds",
    "LAMBDA_MEMORY_SIZE": "memory_mib",
    "SNS_TOPIC_NAME": "topic",
    "SNS_TOPIC_DISPLAY_NAME": "topic_display_name",
}
_DROPPED = {
    "CUDA_VISIBLE_DEVICES": "ECS shows each container its own GPUs",
    "CONFIG_FILE": "follows from `config`",
    "ASG_DESIRED_CAPACITY": "the capacity provider decides how many instances run",
    "DESIRED_CAPACITY": "the capacity provider decides how many instances run",
    "CAPACITY_PROVIDER_TARGET": "managed scaling fills instances completely",
    "ENABLE_CONTAINER_INSIGHTS": "Container Insights is always on",
    "ENABLE_CLOUDWATCH_ALARMS": "alarms are always made",
    "CREATE_CLOUDWATCH_ALARMS": "alarms are always made",
    "AWS_PROFILE": "which credentials are used is no property of a fleet",
    "AWS_DEFAULT_REGION": "AWS_REGION says it",
}


class _Reader:
    """Takes variables one after another, so that what is left at the end is known."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.used: set[str] = set()

    def first(self, *names: str) -> str:
        """Returns the name of the first of these that is set; empty when none is."""
        found = next((name for name in names if self.values.get(name)), "")
        self.used.add(found)
        return found

    def reference(self, *names: str, default: str = "") -> str:
        """Returns `${NAME:-value}` for the first that is set, with the value only where it is not an account's own."""
        name = self.first(*names)
        if not name:
            return default
        own = name in _OF_THE_ACCOUNT or _SUBNET.match(name)
        return f"${{{name}}}" if own else f"${{{name}:-{self.values[name]}}}"

    def is_true(self, *names: str) -> bool | None:
        """Whether a switch is on; None when it is not set."""
        name = self.first(*names)
        return self.values[name].strip().lower() in _TRUE if name else None

    def rest(self) -> list[str]:
        return [name for name in self.values if name not in self.used]


def from_env(values: Mapping[str, str], file: str) -> Start:
    """Turns the variables of a deployment's `.env` into a fleet. Every variable is used, or its fate is told.

    Args:
        values: The variables.
        file: Where they are from, for messages.

    Raises:
        InputError: There is nothing that a fleet could be made of.
    """
    if not values:
        raise InputError(f"{file}: there is no variable in it")
    reader = _Reader(values)
    name = _name(reader)
    recovery = _recovery(reader)
    lines = [
        f"# Made from {Path(file).name}; the values of the account stay there. Keep it beside this file as .env.",
        f"name: {name}",
        f"region: {reader.reference('AWS_REGION', default='us-east-1')}",
    ]
    account = reader.reference("AWS_ACCOUNT_ID")
    lines += [f'account: "{account}"'] if account else []
    cluster = reader.reference("ECS_CLUSTER_NAME", "CLUSTER_NAME")
    lines += [f"cluster: {cluster}"] if cluster else []
    lines += [f"tags: {{Project: {name}}}", "", *_network(reader), *_capacity(reader)]
    notes = [f"{key}: {why}" for key, why in _DROPPED.items() if reader.first(key)]
    only_recovery = bool(recovery) and not any(key in values for key in ("ECR_REPO_NAME", "KVS_STREAM_PREFIX"))
    files: dict[str, str] = {}
    tail = [*_alerts(reader), *recovery]
    if not only_recovery:
        files["cameras.yaml"] = _cameras(reader)
        lines += _service(reader, name, notes)
    elif reader.rest():
        notes += [f"{left}: not a setting of a fleet" for left in reader.rest()]
    files["fleet.yaml"] = "\n".join([*lines, *tail]).rstrip() + "\n"
    return Start(files, tuple(notes))


def _name(reader: _Reader) -> str:
    key = reader.first("PROJECT_NAME") or reader.first("ECR_REPO_NAME")
    raw = reader.values.get(key, "") or "fleet"
    return re.sub(r"[^a-z0-9-]+", "-", raw.lower()).strip("-") or "fleet"


def _network(reader: _Reader) -> list[str]:
    vpc = reader.reference("VPC_ID")
    endpoints = reader.is_true(*_ENDPOINTS)
    lines = ["network:"]
    if vpc:
        lines.append(f"  vpc: {vpc}")
        for kind in ("private", "public"):
            names = sorted(name for name in reader.values if re.match(rf"{kind.upper()}_SUBNET_", name))
            subnets = ", ".join(f'"{reader.reference(name)}"' for name in names)
            lines += [f"  {kind}_subnets: [{subnets}]"] if subnets else []
        group = reader.reference("SECURITY_GROUP_ID")
        lines += [f'  security_groups: ["{group}"]'] if group else []
    else:
        lines.append(f"  zones: {Network().zones}")
    lines += ["  endpoints: none"] if endpoints is False else []
    return [*lines, ""]


def _capacity(reader: _Reader) -> list[str]:
    instance = reader.reference(*_INSTANCE, default="g4dn.xlarge")
    parts = [f"instances: [{instance!r}]" if "$" in instance else f"instances: [{instance}]"]
    parts.append(f"min: {reader.reference(*_LEAST, default='1')}")
    parts.append(f"max: {reader.reference(*_MOST, default='3')}")
    if reader.is_true(*_SPOT):
        parts.append("spot: 100")
    inside = "\n".join(f"    {part}" for part in parts)
    return ["capacity:", "  gpu:", *inside.replace("'", '"').split("\n"), ""]


def _service(reader: _Reader, name: str, notes: list[str]) -> list[str]:
    repository = reader.reference("ECR_REPO_NAME", default=name)
    lines = ["images:", f"  {name}: {{build: ., repository: '{repository}'}}", "", "services:", f"  {name}:"]
    lines += [
        "    kind: streams",
        "    target: ecs-ec2",
        f"    image: {name}",
        "    config: cameras.yaml",
        "    gpu: 1",
    ]
    count = reader.reference(*_COUNT)
    lines += [f"    count: {count}"] if count else []
    port = reader.reference("HTTP_PORT")
    lines += [f"    port: {port}"] if port else []
    retention = reader.reference(*_RETENTION)
    lines += [f"    logs: {{retention_days: {retention}}}"] if retention else []
    environment = {key: reader.reference(key) for key in ("LOG_LEVEL",) if reader.values.get(key)}
    # What is handed to the application besides, under the names that it knows.
    reader.used |= {key for pair in _ALERTING for key in pair}
    for key in reader.rest():
        if reader.values[key]:
            environment[key] = f"${{{key}:-{reader.values[key]}}}"
            notes.append(f"{key}: an environment variable of service {name}")
        reader.used.add(key)
    if environment:
        lines.append("    environment:")
        lines += [f'      {key}: "{value}"' for key, value in environment.items()]
    return [*lines, ""]


def _cameras(reader: _Reader) -> str:
    """The cameras and sinks of the deployment; the task role's permissions follow from them."""
    prefix = reader.reference("KVS_STREAM_PREFIX", default="camera")
    sinks = []
    stream = reader.reference("KDS_STREAM_NAME", "KINESIS_STREAM_NAME")
    sinks += [f'kinesis: {{stream: "{stream}"}}'] if stream else []
    bucket, folder = reader.reference("S3_BUCKET_NAME", "S3_BUCKET"), reader.reference("S3_PREFIX")
    if bucket:
        template = f"{folder or 'snapshots'}/{{camera}}/{{date}}/{{time}}-{{id}}-{{kind}}.{{ext}}"
        sinks.append(f's3: {{bucket: "{bucket}", template: "{template}"}}')
    table = reader.reference("DYNAMODB_TABLE_NAME", "DYNAMODB_TABLE")
    sinks += [f'dynamodb: {{table: "{table}"}}'] if table else []
    lines = "\n".join(f"  - {sink}" for sink in sinks or ["stdout"])
    return f"""\
# One camera for each video stream; their names begin with KVS_STREAM_PREFIX.
cameras:
  - id: camera-1
    source: {{stream: "{prefix}-1"}}
    steps: [detect]
sinks:
{lines}
"""


_ALERTING = (_EMAIL, ("SNS_TOPIC_ARN", "SNS_TOPIC"))


def _alerts(reader: _Reader) -> list[str]:
    topic = reader.reference("SNS_TOPIC_ARN", "SNS_TOPIC")
    email = reader.reference(*_EMAIL)
    lines = ["alerts:"] if topic or email else []
    lines += [f'  topic: "{topic}"'] if topic else []
    lines += [f'  emails: ["{email}"]'] if email else []
    return [*lines, ""] if lines else []


def _recovery(reader: _Reader) -> list[str]:
    keys = [key for key in _RECOVERY if reader.values.get(key)]
    if not any(
        key.endswith("TABLE_NAME") and key in keys for key in ("TASK_TABLE_NAME", "JOB_TABLE_NAME", "NODE_TABLE_NAME")
    ):
        return []
    return ["recovery:", *(f"  {_RECOVERY[key]}: {_quoted(reader.reference(key))}" for key in keys)]


def _quoted(reference: str) -> str:
    """Quotes text; a number stays one, so that it keeps its type."""
    default = reference.split(":-", 1)[-1].rstrip("}")
    return reference if default.isdigit() else f'"{reference}"'

"""CloudFormation stacks as they are: status, outputs, resources, and what a new template would change."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from inferfleet.deploy.operations.account import Account, is_missing
from inferfleet.errors import OutsideError

_TEMPLATE_LIMIT = 51_200
"""Bytes of a template that may be part of a call; larger ones go through a bucket."""
_POLL_S, _LOCAL_POLL_S = 3.0, 0.3
_CHANGE_SET_S = 300.0
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_NOTHING = ("didn't contain changes", "No updates are to be performed", "no changes")


class Action(StrEnum):
    """What is done to a stack or a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    MAY_REPLACE = "may replace"
    DELETE = "delete"
    NOTHING = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a resource.

    Attributes:
        action: What.
        id: Its id in the template.
        type: Its type.
        properties: What of it changes.
    """

    action: Action
    id: str
    type: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackState:
    """A stack.

    Attributes:
        name: Its name.
        status: CloudFormation's word.
        reason: Its reason.
        outputs: What it tells.
        protected: Whether it may not be deleted.
    """

    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    protected: bool

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation works on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_there(self) -> bool:
        """Whether it has anything: not one that only was planned, or that could not be created."""
        return self.status not in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack."""

    id: str
    type: str
    name: str
    status: str
    reason: str


def read(account: Account, names: Iterable[str]) -> dict[str, StackState]:
    """The stacks of these names that exist."""
    client = account.client("cloudformation")
    found = {}
    for name in names:
        try:
            item = client.describe_stacks(StackName=name)["Stacks"][0]
        except Exception as error:
            if is_missing(error):
                continue
            raise
        if item["StackStatus"] != "DELETE_COMPLETE":
            found[name] = _state(item)
    return found


def resources(account: Account, stack: str) -> list[Resource]:
    """The resources of a stack that exists."""
    listed = account.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack)
    return [
        Resource(
            item["LogicalResourceId"], item["ResourceType"], item.get("PhysicalResourceId", ""),
            item["ResourceStatus"], item.get("ResourceStatusReason", ""),
        )
        for item in listed
    ]  # fmt: skip


def going_with(account: Account, stack: str, kind: str) -> list[str]:
    """Names of a stack's resources of a type that are deleted with it, and not kept."""
    body = account.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    written = _as_data(body).get("Resources", {})
    going = {key for key, item in written.items() if item.get("DeletionPolicy", "Delete") == "Delete"}
    return [item.name for item in resources(account, stack) if item.type == kind and item.id in going and item.name]


def failures(account: Account, stack: str, since: datetime) -> list[str]:
    """Why the last operation on a stack failed: the first reasons, not those that only follow from them."""
    events = account.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    failed = [
        f"{item['LogicalResourceId']} ({item['ResourceType']}): {item['ResourceStatusReason']}"
        for item in events
        if item["ResourceStatus"].endswith("_FAILED")
        and item["Timestamp"] >= since
        and "cancelled" not in item.get("ResourceStatusReason", "").lower()
        and item.get("ResourceStatusReason")
    ]
    return list(reversed(failed))


def wait_idle(account: Account, names: Iterable[str], tell: Callable[[str], None]) -> None:
    """Waits while CloudFormation works on any of the stacks; an earlier command may have been interrupted."""
    told: dict[str, str] = {}
    while True:
        busy = [state for state in read(account, names).values() if state.is_busy]
        if not busy:
            return
        for state in busy:
            if told.get(state.name) != state.status:
                told[state.name] = state.status
                tell(f"{state.name} is {state.status}: an earlier operation goes on; waiting for its end")
        time.sleep(_LOCAL_POLL_S if account.is_local else _POLL_S)


def changes(account: Account, state: StackState | None, template: Mapping[str, Any], name: str) -> tuple[Change, ...]:
    """What deploying a template would change. A change set is made for it where the stack exists, and removed again.

    Args:
        account: Where.
        state: The stack, None when there is none.
        template: The new template.
        name: The stack's name.
    """
    wanted = template.get("Resources", {})
    if state is None or not state.is_there:
        return tuple(Change(Action.CREATE, key, item["Type"]) for key, item in wanted.items())
    client = account.client("cloudformation")
    if _as_data(client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]) == template:
        return ()
    change_set = f"inferfleet-plan-{uuid.uuid4().hex[:12]}"
    arguments, clean = _template_arguments(account, template, change_set)
    known = {item["ParameterKey"] for item in client.describe_stacks(StackName=name)["Stacks"][0].get("Parameters", [])}
    parameters = [
        {"ParameterKey": key, "UsePreviousValue": True} for key in template.get("Parameters", {}) if key in known
    ]
    try:
        client.create_change_set(
            StackName=name, ChangeSetName=change_set, ChangeSetType="UPDATE", Capabilities=_CAPABILITIES,
            Parameters=parameters, **arguments,
        )  # fmt: skip
        return _read_change_set(account, name, change_set)
    finally:
        client.delete_change_set(StackName=name, ChangeSetName=change_set)
        clean()


def _read_change_set(account: Account, name: str, change_set: str) -> tuple[Change, ...]:
    client = account.client("cloudformation")
    until = time.monotonic() + _CHANGE_SET_S
    while True:
        answer = client.describe_change_set(StackName=name, ChangeSetName=change_set)
        if answer["Status"] == "FAILED":
            reason = answer.get("StatusReason", "")
            if any(words in reason for words in _NOTHING):
                return ()
            raise OutsideError(f"stack {name}: CloudFormation cannot plan the change: {reason}")
        if answer["Status"] == "CREATE_COMPLETE":
            break
        if time.monotonic() > until:
            raise OutsideError(f"stack {name}: CloudFormation has not planned the change within {_CHANGE_SET_S:.0f} s")
        time.sleep(_LOCAL_POLL_S if account.is_local else 1.0)
    items = account.pages("cloudformation", "describe_change_set", "Changes", StackName=name, ChangeSetName=change_set)
    return tuple(_change(item["ResourceChange"]) for item in items if "ResourceChange" in item)


def _change(item: Mapping[str, Any]) -> Change:
    properties = dict.fromkeys(
        detail["Target"].get("Name") or detail["Target"]["Attribute"]
        for detail in item.get("Details", ())
        if "Target" in detail
    )
    action = {"Add": Action.CREATE, "Remove": Action.DELETE}.get(item["Action"], Action.UPDATE)
    if action is Action.UPDATE:
        action = {"True": Action.REPLACE, "Conditional": Action.MAY_REPLACE}.get(item.get("Replacement", ""), action)
    return Change(action, item["LogicalResourceId"], item["ResourceType"], tuple(properties))


def _template_arguments(
    account: Account, template: Mapping[str, Any], key: str
) -> tuple[dict[str, str], Callable[[], None]]:
    """A template as an argument: itself, or where it lies in the CDK's bucket; and what removes it from there."""
    body = json.dumps(template, separators=(",", ":"))
    if len(body) < _TEMPLATE_LIMIT:
        return {"TemplateBody": body}, lambda: None
    bucket = staging_bucket(account)
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key=f"{key}.json", Body=body.encode())
    url = f"https://s3.{account.region}.amazonaws.com/{bucket}/{key}.json"
    return {"TemplateURL": url}, lambda: s3.delete_object(Bucket=bucket, Key=f"{key}.json")


def staging_bucket(account: Account) -> str:
    """The bucket that `cdk bootstrap` makes, under its default qualifier."""
    return f"cdk-hnb659fds-assets-{account.id}-{account.region}"


def needs_bootstrap(assembly: Path) -> bool:
    """Whether an assembly needs the CDK's bucket: for files that it brings, or a template too long for a call."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"].values()
    templates = [item["properties"]["templateFile"] for item in artifacts if item["type"] == "aws:cloudformation:stack"]
    manifests = [item["properties"] for item in artifacts if item["type"] == "cdk:asset-manifest"]
    long = any((assembly / name).stat().st_size >= _TEMPLATE_LIMIT for name in templates)
    return long or any("requiresBootstrapStackVersion" in item for item in manifests)


def is_bootstrapped(account: Account) -> bool:
    """Whether `cdk bootstrap` was run for this account and region."""
    try:
        account.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    except Exception as error:
        if is_missing(error) or "ParameterNotFound" in str(error):
            return False
        raise
    return True


def _as_data(body: Any) -> dict[str, Any]:
    """A template as data. The CDK sends short templates as YAML, and boto3 makes data of JSON alone."""
    if not isinstance(body, str):
        return dict(json.loads(json.dumps(body)))
    import yaml

    try:
        found = yaml.safe_load(body)
    except yaml.YAMLError:  # written by hand, with tags such as !Ref
        return {}
    return found if isinstance(found, dict) else {}


def _state(item: Mapping[str, Any]) -> StackState:
    outputs = {output["OutputKey"]: output["OutputValue"] for output in item.get("Outputs", ())}
    return StackState(
        item["StackName"], item["StackStatus"], item.get("StackStatusReason", ""), outputs,
        bool(item.get("EnableTerminationProtection")),
    )  # fmt: skip

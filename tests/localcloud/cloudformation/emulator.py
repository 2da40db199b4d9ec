"""A running local cloud, and stacks on it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from inferfleet.localcloud import cloud

DEADLINE_S = 120.0


class Emulator:
    """The emulated AWS."""

    def __init__(self, running: cloud.Cloud) -> None:
        self.url = running.services["aws"].url
        self.environment = running.environment()
        self.log = running.services["aws"].log

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.environment["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stack(self, name: str) -> Stack:
        return Stack(self, name)


class Stack:
    """A stack, with the waiting done."""

    def __init__(self, emulator: Emulator, name: str) -> None:
        self.name = name
        self._client = emulator.client("cloudformation")
        self._id = name

    def create(self, resources: Mapping[str, Any], **more: Any) -> str:
        """Creates it; its status at the end."""
        template = json.dumps({"Resources": resources, "Outputs": more})
        self._id = self._client.create_stack(StackName=self.name, TemplateBody=template)["StackId"]
        return self.settled()

    def update(self, resources: Mapping[str, Any], **more: Any) -> str:
        """Updates it; its status at the end."""
        template = json.dumps({"Resources": resources, "Outputs": more})
        self._client.update_stack(StackName=self.name, TemplateBody=template)
        return self.settled()

    def changes(self, resources: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
        """What a change set says: the action and whether it replaces, by logical id. It is not executed."""
        given = {"StackName": self.name, "ChangeSetName": "look"}
        self._client.create_change_set(**given, TemplateBody=json.dumps({"Resources": resources}))
        found = self._client.describe_change_set(**given)
        self._client.delete_change_set(**given)
        changes = [change["ResourceChange"] for change in found["Changes"]]
        return {change["LogicalResourceId"]: (change["Action"], change.get("Replacement")) for change in changes}

    def delete(self) -> str:
        """Deletes it; its status at the end."""
        self._client.delete_stack(StackName=self.name)
        return self.settled()

    def settled(self) -> str:
        until = time.monotonic() + DEADLINE_S
        while (status := self.describe()["StackStatus"]).endswith("_IN_PROGRESS"):
            assert time.monotonic() < until, self.failures()
            time.sleep(0.05)
        return str(status)

    def describe(self) -> dict[str, Any]:
        (found,) = self._client.describe_stacks(StackName=self._id)["Stacks"]
        return dict(found)

    def outputs(self) -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in self.describe().get("Outputs", ())}

    def ids(self) -> dict[str, str]:
        """Physical ids by logical id."""
        found = self._client.list_stack_resources(StackName=self._id)["StackResourceSummaries"]
        return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}

    def failures(self) -> list[str]:
        events = self._client.describe_stack_events(StackName=self._id)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]


@contextmanager
def running(home: Path) -> Iterator[Emulator]:
    """A local cloud while it is needed."""
    try:
        yield Emulator(cloud.start(home, port=0, kvs_port=0))
    finally:
        cloud.stop(home)


def error_of(call: Any, **given: Any) -> str:
    """The code of the error with which a call answers; empty when it does not."""
    try:
        call(**given)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""

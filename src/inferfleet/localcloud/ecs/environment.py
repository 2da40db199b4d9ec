"""What a container is told of the cloud that it runs in: where the emulator is, who it is, whose task it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs.engine import Engine, owner
from inferfleet.localcloud.ecs.launch import Json

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.relay import Relay
    from inferfleet.localcloud.emulator import Place

OWNER = "inferfleet.local.process"
"""The label that says which emulator a container belongs to."""

_KVS = ("KINESIS_VIDEO", "KINESIS_VIDEO_MEDIA", "KINESIS_VIDEO_ARCHIVED_MEDIA")


class Environment:
    """Makes variables and labels of containers."""

    def __init__(self, place: Place, engine: Engine, relay: Relay) -> None:
        self._place = place
        self._engine = engine
        self._relay = relay
        self._owner = owner()

    @property
    def label(self) -> str:
        """What finds the containers of this emulator, among those of others on the same engine."""
        from ministack.core import container_reaper

        return f"{container_reaper.INSTANCE_LABEL}={container_reaper.instance_id()}"

    def of(self, task: Json, definition: Json, container: Json) -> dict[str, str]:
        """Variables of a container: the emulator's, then its secrets, then its own.

        Args:
            task: The task's record, which remembers the token of its metadata.
            definition: The task definition.
            container: The container definition, overrides applied.

        Raises:
            OSError: Containers cannot be given a way to the emulator.
        """
        from ministack.core.responses import get_account_id, get_region
        from ministack.services import ecs

        host = self._engine.gateway
        self._relay.open(host)
        found = {
            "AWS_ACCESS_KEY_ID": get_account_id(),
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": get_region(),
            "AWS_DEFAULT_REGION": get_region(),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": f"AWS_ECS_{task.get('launchType') or 'EC2'}",
        }
        for service in _KVS:
            found[f"AWS_ENDPOINT_URL_{service}"] = f"http://{host}:{self._place.kvs_port}"
        token = ecs._register_metadata(
            task["taskArn"], task["clusterArn"], definition, container, task.get("launchType"), found, False, host
        )
        task.setdefault("_metadata_tokens", []).append(token)
        # MiniStack's address for credentials is one that boto3 refuses; the keys above are what AWS's would give.
        found.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        found.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        found.update(ecs._resolve_container_secrets(container))
        found.update({entry["name"]: entry["value"] for entry in container.get("environment") or []})
        return found

    def labels(self, task: Json, definition: Json, container: Json) -> dict[str, str]:
        """Labels of a container: ECS's own, and those by which this emulator knows it."""
        from ministack.core import container_reaper

        labels: dict[str, str] = container_reaper.own_labels("ecs")
        prefix = "com.amazonaws.ecs."
        return {
            **labels,
            OWNER: self._owner,
            f"{prefix}cluster": task["clusterArn"],
            f"{prefix}task-arn": task["taskArn"],
            f"{prefix}container-name": container["name"],
            f"{prefix}task-definition-family": definition["family"],
            f"{prefix}task-definition-version": str(definition["revision"]),
        }

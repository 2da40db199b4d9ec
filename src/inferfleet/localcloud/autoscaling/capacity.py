"""The services of ECS as things that can be scaled: how many tasks they shall have, and how to say another number."""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.localcloud.autoscaling.records import Identity
from inferfleet.localcloud.autoscaling.refusal import Refusal
from inferfleet.localcloud.calls import Calls

DIMENSION = "ecs:service:DesiredCount"


class NoSuchService(Exception):
    """There is no such service."""


@dataclass(frozen=True, slots=True)
class ServiceName:
    """Which service of which cluster a target is."""

    cluster: str
    service: str

    @classmethod
    def of(cls, identity: Identity) -> ServiceName | None:
        """The service that a target is; None when it is something else."""
        parts = identity.resource.split("/")
        if identity.namespace != "ecs" or len(parts) != 3:  # noqa: PLR2004 - service/<cluster>/<name>
            return None
        return cls(parts[1], parts[2])


class Services:
    """Reads and sets the desired count of services, in the emulated ECS."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def check(self, account: str, region: str, identity: Identity) -> None:
        """Checks that a target can be scaled.

        Raises:
            Refusal: There is no such service, or it is not a service of ECS.
        """
        name = ServiceName.of(identity)
        if name is None or identity.dimension != DIMENSION:
            message = f"the local cloud scales services of ECS ({DIMENSION}), not {identity.dimension}"
            raise Refusal("ValidationException", message)
        try:
            self.desired(account, region, name)
        except NoSuchService:
            raise Refusal("ValidationException", f"ECS service doesn't exist: {identity.resource}") from None

    def desired(self, account: str, region: str, name: ServiceName) -> int:
        """Tasks that a service shall have.

        Raises:
            NoSuchService: There is none of this name.
        """
        from botocore.exceptions import ClientError

        client = self._calls.client("ecs", account, region)
        try:
            found = client.describe_services(cluster=name.cluster, services=[name.service])["services"]
        except ClientError as error:
            raise NoSuchService(str(error)) from error
        if not found or found[0]["status"] != "ACTIVE":
            raise NoSuchService(name.service)
        return int(found[0]["desiredCount"])

    def set(self, account: str, region: str, name: ServiceName, desired: int) -> None:
        """Says how many tasks a service shall have."""
        client = self._calls.client("ecs", account, region)
        client.update_service(cluster=name.cluster, service=name.service, desiredCount=desired)

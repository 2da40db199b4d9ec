"""What a resource type is: how a resource of it is made, changed and removed, in terms of its service's API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Client = Callable[[str], Any]
"""Gives the boto3 client of a service, by boto3's name for it."""

TagShape = Literal["list", "map"]


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that exists.

    Attributes:
        id: Its physical id, which is what `Ref` returns.
        attributes: What `Fn::GetAtt` returns, by the attribute's name.
    """

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource as a template wants it.

    Attributes:
        properties: Its properties, with all references resolved.
        name: A physical name for it, for when the template gives none; another one for each replacement.
        client: The clients to make it with.
    """

    properties: Mapping[str, Any]
    name: str
    client: Client

    def named(self, name: str) -> str:
        """The value of the property that names it, else the physical name that was made up."""
        return str(self.properties.get(name) or self.name)


class ResourceType(ABC):
    """A type of resource. A subclass says what it is called and how its resources come, change and go.

    Errors of the service's API (`botocore.exceptions.ClientError`) pass through: they fail the resource, with the
    service's own message as the reason, and CloudFormation rolls back.
    """

    type: ClassVar[str]
    """As templates name it."""
    create_only: ClassVar[tuple[str, ...]] = ()
    """Properties that cannot change: another value means another resource."""
    sometimes_create_only: ClassVar[tuple[str, ...]] = ()
    """Properties of which some changes mean another resource; `replaces` decides."""
    tags: ClassVar[TagShape | None] = None
    """Shape of its `Tags`, into which the stack's tags go too; None for a type without."""

    @abstractmethod
    def create(self, wanted: Wanted) -> Made:
        """Makes a resource."""

    @abstractmethod
    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Changes a resource in place.

        Args:
            there: Its physical id.
            wanted: As it shall be.
            before: Its properties as they were.
        """

    @abstractmethod
    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Removes a resource. One that is gone already is no error: `is_settled` says how the API tells."""

    def replaces(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether a change of a property that is sometimes create-only needs another resource."""
        return False


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Names of the properties that differ."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def is_settled(error: Exception, *codes: str) -> bool:
    """Whether an error of an API says that there is nothing left to do: the thing does not exist, or exists already.

    Args:
        error: What the call raised.
        codes: The error codes by which this API says so.
    """
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and error.response["Error"]["Code"] in codes

"""Our resource types in the tables of MiniStack's CloudFormation: the one place that knows how those look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from inferfleet.localcloud.calls import Calls
from inferfleet.localcloud.cloudformation import recreation
from inferfleet.localcloud.cloudformation.resource import Made, ResourceType, Wanted, changed

_LONGEST_NAME = 64


def install(types: Iterable[ResourceType], calls: Calls) -> None:
    """Adds resource types, and says of MiniStack's own types which changes replace a resource.

    Args:
        types: The types to add, in the place of MiniStack's where it has them.
        calls: Makes the clients that they call.
    """
    from ministack.services.cloudformation import provisioners, stacks

    ours = {}
    for item in types:
        ours[item.type] = item
        provisioners._RESOURCE_HANDLERS[item.type] = _Handlers(item, calls).table()
        provisioners._REPLACING_PROPERTIES[item.type] = item.create_only
        provisioners._CONDITIONALLY_REPLACING_PROPERTIES[item.type] = item.sometimes_create_only
        provisioners._STACK_TAG_PROPERTY.pop(item.type, None)
        if item.tags is not None:
            provisioners._STACK_TAG_PROPERTY[item.type] = ("Tags", item.tags)
    stacks._property_recreation = _better_known(provisioners._property_recreation)
    stacks._runs_on_worker_thread = _also_on_a_thread(stacks._runs_on_worker_thread, frozenset(ours))


def _also_on_a_thread(decide: Callable[[str], bool], ours: frozenset[str]) -> Callable[[str], bool]:
    """MiniStack's choice of what it does off the thread that serves requests, with our types among it."""
    return lambda resource_type: resource_type in ours or decide(resource_type)


def _better_known(decide: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """MiniStack's word on what a change set says of a property, with what we know of its types."""
    return lambda resource_type, name: recreation.of(resource_type, name) or decide(resource_type, name)


class _Handlers:
    """A resource type as the functions that MiniStack calls."""

    def __init__(self, item: ResourceType, calls: Calls) -> None:
        self._type = item
        self._calls = calls

    def table(self) -> dict[str, Any]:
        """The entry in MiniStack's table."""
        return {"create": self._create, "update": self._update, "update_with_logical_id": True, "delete": self._delete}

    def _create(self, logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        return _pair(self._type.create(self._wanted(logical_id, properties, stack)))

    def _update(
        self, there: str, before: dict[str, Any], after: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        from ministack.services.cloudformation import provisioners

        wanted = self._wanted(logical_id or there, after, stack)
        suspects = changed(before, after) & set(self._type.sometimes_create_only)
        if suspects and self._type.replaces(before, after):
            replaced: tuple[str, dict[str, Any]] = provisioners._seeded_create(
                self._create, logical_id or there, after, stack
            )
            return replaced
        return _pair(self._type.update(there, wanted, before))

    def _delete(self, there: str, properties: dict[str, Any]) -> None:
        self._type.delete(there, properties, self._client)

    def _wanted(self, logical_id: str, properties: Mapping[str, Any], stack: str) -> Wanted:
        from ministack.services.cloudformation import provisioners

        name = provisioners._physical_name(stack, logical_id, max_len=_LONGEST_NAME)
        return Wanted(properties, name, self._client)

    def _client(self, service: str) -> Any:
        from ministack.core.responses import get_account_id, get_region

        return self._calls.client(service, get_account_id(), get_region())


def _pair(made: Made) -> tuple[str, dict[str, Any]]:
    return made.id, dict(made.attributes)

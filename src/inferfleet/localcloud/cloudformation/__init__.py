"""The CloudFormation resource types that MiniStack lacks, made as on AWS: through the API of their service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place


def extend(place: Place) -> None:
    """Teaches MiniStack's CloudFormation our resource types, and what else its stacks need of other services."""
    from inferfleet.localcloud.calls import Calls
    from inferfleet.localcloud.cloudformation import addresses, images, ministack
    from inferfleet.localcloud.cloudformation.resources import TYPES

    ministack.install(TYPES, Calls(place))
    images.install()
    addresses.install()

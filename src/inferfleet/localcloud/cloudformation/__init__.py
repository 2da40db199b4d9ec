"""The CloudFormation resource types that MiniStack lacks, made as on AWS: through the API of their service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place


def extend(place: Place) -> Callable[[], None]:
    """Teaches MiniStack's CloudFormation our resource types, and what else its stacks need of other services."""
    from inferfleet.localcloud.calls import Calls
    from inferfleet.localcloud.cloudformation import addresses, images, ministack, providers, targetgroups
    from inferfleet.localcloud.cloudformation.resources import TYPES
    from inferfleet.localcloud.cloudformation.resources.cloudwatch import Alarm
    from inferfleet.localcloud.cloudwatch.derived import Derivation

    derivation = Derivation()
    ministack.install((*TYPES, Alarm(derivation)), Calls(place))
    images.install()
    addresses.install()
    providers.install()
    targetgroups.install()
    derivation.start()
    return derivation.stop

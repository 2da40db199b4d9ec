"""ECS that behaves: what MiniStack's own lacks of Amazon's service scheduler and deployment controller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place

_MEASUREMENTS = 6
"""How often a minute services are measured."""


def extend(place: Place) -> Callable[[], None]:
    """Puts our ECS, and what it needs of load balancing, in the place of MiniStack's; what to call at the end."""
    from inferfleet.localcloud.autoscaling import minute_s
    from inferfleet.localcloud.ecs.api import Api
    from inferfleet.localcloud.ecs.balancer import Balancer
    from inferfleet.localcloud.ecs.controller import Controller
    from inferfleet.localcloud.ecs.elb import LoadBalancing
    from inferfleet.localcloud.ecs.engine import Engine
    from inferfleet.localcloud.ecs.environment import OWNER, Environment
    from inferfleet.localcloud.ecs.metrics import Metrics
    from inferfleet.localcloud.ecs.probes import Prober
    from inferfleet.localcloud.ecs.relay import Relay

    engine = Engine(place)
    relay = Relay(place.host, (place.port, place.kvs_port))
    balancer = Balancer(place)
    prober = Prober(balancer)
    controller = Controller(engine, Environment(place, engine, relay), balancer)
    LoadBalancing(balancer).install()
    Api(controller, place.pace).install()
    metrics = Metrics(controller, engine, balancer, minute_s() / _MEASUREMENTS)
    threading.Thread(target=engine.sweep, args=(OWNER,), name="ecs-sweep", daemon=True).start()
    prober.start()
    metrics.start()
    controller.start()

    def close() -> None:
        prober.close()
        metrics.close()
        controller.close()
        relay.close()

    return close

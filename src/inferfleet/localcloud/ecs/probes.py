"""Health checks of target groups: who is probed when, and what the answers make of a target."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from inferfleet.localcloud.ecs.launch import PATIENCE, Json

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.balancer import Address, Balancer, Target

_POLL_S = 0.2
_AT_ONCE = 16
_FIRST_S = 1.0
"""How often a new target is asked until its first good answer: each of a load balancer's nodes asks, so that on AWS too
it is found before an interval has passed. Failures count once an interval all the same."""


class Prober:
    """Probes all registered targets, each at its group's interval."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ecs-probes", daemon=True)

    def start(self) -> None:
        """Begins, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._over.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ecs-probe") as pool:
            while not self._over.wait(_POLL_S):
                for address, target in self._balancer.due(time.monotonic()):
                    pool.submit(self._probe, address, target)

    def _probe(self, address: Address, target: Target) -> None:
        from ministack.core.arn import parse_arn
        from ministack.core.responses import request_scope
        from ministack.services import alb

        place = parse_arn(address[0])
        with request_scope(place.account_id, place.region):
            group = alb._tgs.get(address[0]) or {}
        problem = probe(address, group) if group.get("HealthCheckEnabled", True) else ""
        now = time.monotonic()
        interval = float(group.get("HealthCheckIntervalSeconds", 30))
        if not problem or now >= target.next_failure:
            judge(target, group, problem)
            target.next_failure = now + interval
        target.next_probe = now + (min(_FIRST_S, interval) if target.state == "initial" else interval)


def probe(address: Address, group: Json) -> str:
    """Asks a target once; what is wrong with it, as a reason code and a text parted by a line break, or nothing."""
    host = address[1]
    port = group.get("HealthCheckPort", "traffic-port")
    port = address[2] if port == "traffic-port" else int(port)
    timeout = float(group.get("HealthCheckTimeoutSeconds", 5)) * PATIENCE
    if group.get("HealthCheckProtocol") in ("TCP", "TLS"):
        try:
            socket.create_connection((host, port), timeout).close()
        except OSError:
            return "Target.FailedHealthChecks\nHealth checks failed"
        return ""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", group.get("HealthCheckPath") or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"})
        status = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout\nRequest timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks\nHealth checks failed"
    finally:
        with suppress(OSError):
            connection.close()
    if matches(status, (group.get("Matcher") or {}).get("HttpCode") or "200"):
        return ""
    return f"Target.ResponseCodeMismatch\nHealth checks failed with these codes: [{status}]"


def judge(target: Target, group: Json, problem: str) -> None:
    """What a probe's outcome makes of a target. A new one is healthy after its first good probe."""
    target.good, target.bad = (0, target.bad + 1) if problem else (target.good + 1, 0)
    if target.state == "draining":
        return
    if not problem and (target.state == "initial" or target.good >= int(group.get("HealthyThresholdCount", 5))):
        target.state = "healthy"
        target.reason = target.text = ""
    elif problem and target.bad >= int(group.get("UnhealthyThresholdCount", 2)):
        target.state = "unhealthy"
        target.reason, _, target.text = problem.partition("\n")


def matches(status: int, codes: str) -> bool:
    """Whether a status is among codes such as `200-299,404`."""
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False

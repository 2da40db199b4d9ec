"""Alarms on metric math: what a formula says becomes a metric of its own, and MiniStack watches that one."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inferfleet.localcloud.cloudwatch.metric import Formula, recent

NAMESPACE = "MetricMath"
"""Namespace of the metrics that formulas become; each has the name of its alarm."""
_LOOK_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Derived:
    """A formula, for whom, and until when it has been evaluated."""

    formula: Formula
    until: float = 0.0


class Derivation:
    """Evaluates the formulas of alarms at the end of each of their periods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, str], _Derived] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metric-math", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()

    def keep(self, client: Any, alarm: str, formula: Formula) -> None:
        """Evaluates a formula from now on.

        Args:
            client: CloudWatch's client for the account and region.
            alarm: The alarm's name.
            formula: What it watches.
        """
        with self._lock:
            self._kept[client, alarm] = _Derived(formula)

    def forget(self, client: Any, alarm: str) -> None:
        """Evaluates the formula of an alarm no more."""
        with self._lock:
            self._kept.pop((client, alarm), None)

    def turn(self, now: float) -> None:
        """Evaluates what has come to the end of a period.

        Args:
            now: The time, in seconds since the epoch.
        """
        with self._lock:
            kept = list(self._kept.items())
        for (client, alarm), derived in kept:
            period = derived.formula.period_s
            if now // period * period <= derived.until:
                continue
            try:
                self._publish(client, alarm, derived, now)
            except Exception:
                _log.exception("cannot evaluate the alarm %s", alarm)

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            self.turn(time.time())

    def _publish(self, client: Any, alarm: str, derived: _Derived, now: float) -> None:
        period = derived.formula.period_s
        ((begun, value),) = recent(client, derived.formula, now, period, 1).items()
        if value is not None:
            # At the end of the period, for MiniStack to find it among the latest.
            at = datetime.fromtimestamp(begun + period, UTC)
            client.put_metric_data(
                Namespace=NAMESPACE, MetricData=[{"MetricName": alarm, "Timestamp": at, "Value": value}]
            )
        derived.until = now // period * period

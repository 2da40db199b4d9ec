"""The guide lists exactly the metrics that a worker exports, with their kinds and labels; leases are told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.core import Metric

from inferfleet.streams.delivery import SinkStatus
from inferfleet.streams.leases.member import Member
from inferfleet.streams.metrics import Metrics
from inferfleet.streams.status import CameraReport, LeaseReport, WorkerReport, scrape
from tests.unit.streams.leases.memory import MemoryTable, Time

GUIDE = Path(__file__).parents[3] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(inferfleet_\w+)` \| (\w+) \|([\w, ]*)\|", re.MULTILINE)

REPORT = WorkerReport(
    worker="w/1",
    uptime_seconds=1.0,
    ready=True,
    cameras=[
        CameraReport(
            id="gate",
            mode="live",
            state="running",
            error=None,
            fps=10.0,
            latency_seconds=0.1,
            frames=10,
            events=1,
            drops={},
            skipped=0,
            reconnects=3,
            last_frame_time=datetime.now(UTC),
            behind_seconds=2.5,
            lost=4,
            jumps=5,
        )
    ],
    models={},
    sinks=[SinkStatus("kinesis", "up", 1, 0, 0, 0, 0.0, None)],
    spool_bytes=0,
    spool_full=False,
    leases=LeaseReport(held=1, wanted=2, taken=3, lost=2, renewed_seconds=0.5, duration=15.0),
)


def exported() -> list[Metric]:
    """All metrics that a worker can export."""
    return [*Metrics().registry.collect(), *scrape(REPORT)]


def test_the_guide_lists_what_is_exported() -> None:
    documented = {
        name: (kind, labels.strip().split(", ") if labels.strip() else [])
        for name, kind, labels in _ROW.findall(_text())
    }
    found = {metric.name + ("_total" if metric.type == "counter" else ""): metric.type for metric in exported()}
    assert {name: kind for name, (kind, _) in documented.items()} == found
    for metric in scrape(REPORT):
        labels = set().union(*(sample.labels for sample in metric.samples))
        assert labels == set(documented[metric.name + ("_total" if metric.type == "counter" else "")][1]), metric.name


def test_what_a_source_lost_and_what_leases_do_are_exported() -> None:
    values = {sample.name: sample.value for metric in scrape(REPORT) for sample in metric.samples}
    assert values["inferfleet_camera_lost_fragments_total"] == 4
    assert values["inferfleet_camera_jumps_total"] == 5
    assert values["inferfleet_camera_behind_seconds"] == 2.5
    assert values["inferfleet_leases_held"] == 1
    assert values["inferfleet_leases_wanted"] == 2
    assert values["inferfleet_leases_taken_total"] == 3
    assert values["inferfleet_leases_lost_total"] == 2
    assert values["inferfleet_leases_renewed_seconds"] == 0.5


def test_a_member_counts_what_it_takes_and_loses_and_when_it_last_renewed() -> None:
    time, table = Time(), MemoryTable()
    member = Member("w1", table, 15.0, lambda: time.now)
    assert (member.taken, member.lost, member.renewed) == (0, 0, None)
    for lease in member.look(["gate", "yard"]).take:
        member.take(lease)
    member.renew()
    assert (member.taken, member.lost, member.renewed) == (2, 0, time.now)
    member.release(member.held["yard"])
    time.now += 60
    assert [held.camera for held in member.renew()] == ["gate"]
    assert (member.taken, member.lost) == (2, 1)


def _text() -> str:
    return GUIDE.read_text()

"""The judge of the chaos sees what is lost, what is wrong, and two publishers at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from inferfleet.streams.event import encode
from tests.chaos.film import Truth, truths
from tests.chaos.judge import Death, Takeover, Verdict, judge, takeovers
from tests.unit.streams.delivery.support import make_item

START = 1_800_000_000.0
FILM = {"gate": (START, truths(10))}


def record(truth: Truth, *, id_: str | None = None, worker: str = "a", late: float = 1.0) -> dict[str, Any]:
    """A record as a worker would have put it."""
    event = make_item("gate", truth.number).event
    seen = START + truth.number * 5 + 0.4
    event = msgspec.structs.replace(
        event,
        id=id_ or f"id-{truth.number}",
        time=datetime.fromtimestamp(seen, UTC).isoformat(),
        data=msgspec.structs.replace(event.data, box=truth.box, worker=f"{worker}/1"),
    )
    return {"Data": encode(event), "ApproximateArrivalTimestamp": datetime.fromtimestamp(seen + late, UTC)}


def test_all_there_is_good() -> None:
    first, second = truths(10)
    verdict = judge({}, FILM, [record(first), record(second, late=7.0)], ["id-0", "id-1"], {"gate": {1: "a"}})
    assert verdict.is_good
    assert (verdict.expected, verdict.repeated, round(verdict.gap, 1)) == (2, 0, 7.0)


def test_what_is_missing_in_either_service_is_lost() -> None:
    first, second = truths(10)
    assert len(judge({}, FILM, [record(first)], ["id-0", "id-1"], {"gate": {1: "a"}}).lost) == 1
    assert len(judge({}, FILM, [record(first), record(second)], ["id-0"], {"gate": {1: "a"}}).lost) == 1


def test_a_repeat_has_the_same_id_or_is_wrong() -> None:
    first, second = truths(10)
    all_ = [record(first), record(first), record(second)]
    assert judge({}, FILM, all_, ["id-0", "id-1"], {"gate": {1: "a"}}).repeated == 1
    other = [record(first), record(first, id_="another"), record(second)]
    assert not judge({}, FILM, other, ["id-0", "id-1"], {"gate": {1: "a"}}).is_good


def test_who_publishes_after_a_later_owner_has_is_found() -> None:
    first, second = truths(10)
    owners = {"gate": {1: "a", 2: "b"}}
    ids = ["id-0", "id-1"]
    turns = [record(first, worker="a"), record(second, worker="b")]
    assert judge({}, FILM, turns, ids, owners).is_good
    assert judge({}, FILM, [*turns, record(second, worker="a")], ids, owners).overlaps
    assert judge({}, FILM, [*turns, record(second, worker="a")], ids, {"gate": {1: "a", 2: "b", 3: "a"}}).is_good


def test_the_time_from_a_death_to_the_next_owner_is_measured() -> None:
    epochs = {"gate": {1: "a", 2: "b"}, "yard": {4: "a"}}
    times = {"gate": {1: 5.0, 2: 117.5}, "yard": {4: 90.0}}
    alive = {"a": {1: 99.0}, "b": {n: 90.0 + 2 * n for n in range(20)}}
    deaths = [Death(100.0, {"gate": 1, "yard": 4})]
    assert takeovers(deaths, epochs, times, alive, 10.0) == [Takeover(17.5, attended=True)]
    paused = {"b": {n: at for n, at in alive["b"].items() if not 104 < at < 112}}
    assert takeovers(deaths, epochs, times, paused, 10.0) == [Takeover(17.5, attended=False)]
    found = [Takeover(17.5, attended=False), Takeover(2.0, attended=True), Takeover(3.0, attended=True)]
    line = next(line for line in Verdict({}, 0, takeovers=found).lines() if "killed workers" in line)
    assert "3, half within 3.0 s, all within 17.5 s" in line
    assert "lived all the while: 2, half within 2.5 s, all within 3.0 s" in line


def test_an_event_that_never_happened_is_wrong() -> None:
    first, second = truths(10)
    ghost = Truth(0, second.box)
    assert not judge(
        {}, FILM, [record(first), record(second), record(ghost)], ["id-0", "id-1"], {"gate": {1: "a"}}
    ).is_good

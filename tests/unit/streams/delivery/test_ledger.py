from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inferfleet.streams.delivery.ledger import MOST_MARKS, Ledger


def test_a_new_sink_begins_with_the_oldest_event_held() -> None:
    ledger = Ledger(last=10, cursors={"a": 4, "b": 7})
    assert ledger.adopt(["a", "c"], first_held=5) == (["c"], ["b"])
    assert ledger.cursors == {"a": 4, "c": 4}


def test_a_new_sink_of_an_empty_spool_lacks_nothing() -> None:
    ledger = Ledger(last=10, cursors={"a": 10})
    ledger.adopt(["a", "c"], first_held=None)
    assert ledger.backlog("c") == 0


def test_a_cursor_never_moves_back() -> None:
    ledger = Ledger(last=10, cursors={"a": 4})
    ledger.acknowledge("a", 6)
    ledger.acknowledge("a", 5)
    assert ledger.cursors["a"] == 6


def test_progress_before_any_event_counts_as_delivered() -> None:
    ledger = Ledger(cursors={"a": 0})
    ledger.mark("gate", None)
    assert ledger.delivered_mark("gate") == 0


def test_a_quiet_camera_is_delivered_while_others_wait() -> None:
    ledger = Ledger(cursors={"a": 1}, last=9)
    ledger.mark("quiet", 1)
    ledger.mark("busy", 9)
    assert ledger.delivered_mark("quiet") == 1
    assert ledger.delivered_mark("busy") is None


@given(
    seqs=st.lists(st.integers(1, 10_000), unique=True, min_size=1, max_size=300).map(sorted),
    watermark=st.integers(0, 10_000),
)
def test_thinning_keeps_what_can_be_asked_for(seqs: list[int], watermark: int) -> None:
    ledger = Ledger(last=10_000, cursors={"a": watermark})
    for seq in seqs:
        ledger.mark("gate", seq)
    delivered = ledger.delivered_mark("gate")
    dropped = ledger.thin("gate")
    kept = ledger.marks["gate"]
    assert sorted(dropped + kept) == seqs
    assert ledger.delivered_mark("gate") == delivered
    assert kept[-1:] == seqs[-1:], "the newest is what a restart goes on from"
    assert len(kept) <= max(MOST_MARKS, len(seqs) // 2 + 2)


def test_a_long_outage_keeps_few_checkpoints() -> None:
    ledger = Ledger(cursors={"a": 0})
    for seq in range(1, 5_000):
        ledger.last = seq
        ledger.mark("gate", seq)
        ledger.thin("gate")
    assert len(ledger.marks["gate"]) <= MOST_MARKS
    assert ledger.marks["gate"][-1] == 4_999

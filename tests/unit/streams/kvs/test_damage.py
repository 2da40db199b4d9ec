"""The reader on bytes that are not what they should be: typed errors, bounded memory, and what is whole comes out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferfleet.streams.kvs import ebml, fragments, writer
from inferfleet.streams.kvs.ebml import Id
from inferfleet.streams.kvs.errors import DamageError, StreamError
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader

LIMIT = 64 * 1024
VIDEO = Track(number=1, kind=1, codec="V_MPEG4/ISO/AVC", private=b"\x01avcC", width=64, height=48)


def a_fragment(number: int, sized: bool = True) -> bytes:
    frames = [Frame(1, 40_000_000 * n, None, n == 0, memoryview(bytes([65 + n]) * 50)) for n in range(4)]
    head = writer.tags({fragments.FRAGMENT_NUMBER: str(number), fragments.SERVER_TIMESTAMP: "1700000000.000"})
    tail = writer.tags({fragments.MILLIS_BEHIND_NOW: "0", fragments.CONTINUATION_TOKEN: str(number)})
    return writer.header([VIDEO]) + head + writer.cluster(frames, sized=sized) + writer.tags({"a": "b"}) + tail


def an_open_cluster() -> bytes:
    """A body up to within a Cluster of unknown size."""
    return writer.header([VIDEO]) + ebml.opening(Id.CLUSTER) + ebml.uint(Id.TIMECODE, 0)


def numbers(items: list) -> list[str]:
    return [item.number for item in items if isinstance(item, Fragment)]


def told(items: list) -> list[str]:
    return [item.number if isinstance(item, Fragment) else str(item) for item in items]


def test_junk_before_the_first_header_is_skipped_and_told_once(read):
    found = read(b"HTTP/1.1 junk " * 100 + a_fragment(1), 10)
    assert isinstance(found[0], DamageError)
    assert numbers(found) == ["1"]
    assert len(found) == 2


@pytest.mark.parametrize("sized", [True, False])
def test_junk_between_fragments_costs_no_fragment(read, sized):
    found = read(a_fragment(1, sized) + b"\x00junk\xff" * 50 + a_fragment(2, sized), 33)
    assert numbers(found) == ["1", "2"]


@pytest.mark.parametrize("sized", [True, False])
def test_a_fragment_that_swallows_the_next_header_costs_only_itself(read, sized):
    good, bad = a_fragment(1, sized), bytearray(a_fragment(2, sized))
    at = bad.index(b"\xa3" + bytes((0x80 | 54,)))
    bad[at + 1 : at + 2] = b"\x40\x36"  # the same size in two bytes: every place behind it is off by one
    bad[at + 2] = 0x99
    found = read(good + bytes(bad) + a_fragment(3, sized) + a_fragment(4, sized))
    assert numbers(found) == ["1", "3", "4"]
    assert sum(isinstance(item, DamageError) for item in found) >= 1


@pytest.mark.parametrize("sized", [True, False])
def test_any_flipped_bit_costs_at_most_the_fragments_it_touches(read, sized):
    # A bent size may claim up to the largest fragment, so as many bytes may pass before it is known to be wrong.
    first, damaged, rest = (
        a_fragment(1, sized),
        a_fragment(2, sized),
        b"".join(a_fragment(n, sized) for n in range(3, 9)),
    )
    for at, bit in itertools.product(range(0, len(damaged)), (0, 3, 7)):
        bent = bytearray(damaged)
        bent[at] ^= 1 << bit
        found = numbers(read(first + bytes(bent) + rest, max_fragment_bytes=1500))
        assert found[0] == "1"
        assert found[-1] == "8"
        assert len(found) >= 3


def test_an_element_larger_than_any_fragment_is_damage_at_once_and_not_awaited(read):
    reader = MatroskaReader(max_fragment_bytes=LIMIT)
    items = list(reader.feed(an_open_cluster() + ebml.opening(Id.SIMPLE_BLOCK, 40_000_000)))
    assert [type(item) for item in items] == [DamageError]
    assert "40000" in str(items[0])
    for _ in range(200):
        items += reader.feed(bytes(10_000))
        assert reader.held_bytes < 3 * LIMIT
    assert numbers(items + list(reader.feed(a_fragment(2)))) == ["2"]


def test_an_endless_cluster_is_bounded(read):
    reader = MatroskaReader(max_fragment_bytes=LIMIT)
    reader.feed(an_open_cluster())
    block = ebml.element(Id.SIMPLE_BLOCK, b"\x81\x00\x00\x00" + bytes(996))
    items = []
    for _ in range(500):
        items += reader.feed(block)
        assert reader.held_bytes < 3 * LIMIT
    assert isinstance(items[0], DamageError)
    assert numbers(reader.feed(a_fragment(2))) == ["2"]


def test_more_frames_than_any_camera_makes_are_damage(read):
    flood = ebml.element(Id.SIMPLE_BLOCK, b"\x81\x00\x00\x00") * 60_000
    found = read(an_open_cluster() + flood + a_fragment(2))
    assert "50000 frames" in str(found[0])
    assert numbers(found) == ["2"]


def test_a_frame_of_a_track_that_is_not_there_is_damage(read):
    body = a_fragment(1).replace(b"\xa3\xb6\x81", b"\xa3\xb6\x82")
    assert "track 2" in str(read(body)[0])


def test_a_compressed_track_is_refused_with_its_reason(read):
    entry = ebml.uint(Id.TRACK_NUMBER, 1) + ebml.element(Id.CONTENT_ENCODINGS, b"")
    tracks = ebml.element(Id.TRACKS, ebml.element(Id.TRACK_ENTRY, entry))
    assert "compressed" in str(read(writer.header([]) + tracks)[0])


PIECES = [a_fragment(1), a_fragment(2, False), a_fragment(3)[:-30], a_fragment(4)[20:], b"\x1a\x45\xdf\xa3", bytes(20)]
PIECES += [writer.header([VIDEO]) + writer.tags({fragments.ERROR_ID: "5000"}), ebml.opening(Id.CLUSTER), b"\xff" * 9]


@st.composite
def bent_bodies(draw: st.DrawFn) -> bytes:
    """Pieces of bodies in any order, with a few bytes replaced."""
    body = bytearray(b"".join(draw(st.lists(st.sampled_from(PIECES), max_size=6))))
    for at, value in draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6)):
        if body:
            body[at % len(body)] = value
    return bytes(body)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bent_bodies() | st.binary(max_size=600), st.lists(st.integers(1, 400), min_size=1), st.sampled_from(Framing))
def test_whatever_comes_only_typed_errors_in_bounded_memory_however_it_is_cut(body, cuts, framing):
    def in_pieces(sizes):
        reader, items, at = MatroskaReader(framing, max_fragment_bytes=4096), [], 0
        for size in sizes:
            if at >= len(body):
                break
            items += reader.feed(body[at : at + size])
            assert reader.held_bytes <= 3 * (4096 + 2 * LIMIT)
            at += size
        return items + list(reader.finish())

    whole = in_pieces([len(body)])
    assert all(isinstance(item, Fragment | DamageError | StreamError) for item in whole)
    assert told(in_pieces(itertools.cycle(cuts))) == told(whole)


class Patient(MatroskaReader):
    """A reader that takes every block by the general way."""

    def _take_plain_blocks(self) -> None:
        return


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bent_bodies(), st.integers(1, 5000), st.sampled_from(Framing))
def test_the_loop_over_plain_blocks_reads_and_refuses_as_the_general_way_does(body, size, framing):
    def read(kind):
        reader, items = kind(framing, max_fragment_bytes=4096), []
        for at in range(0, len(body), size):
            items += reader.feed(body[at : at + size])
        return told([*items, *reader.finish()])

    assert read(MatroskaReader) == read(Patient)

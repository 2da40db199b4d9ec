"""Blocks: lacing of every kind, block groups, and what is wrong with malformed ones."""

from __future__ import annotations

import pytest

from inferfleet.streams.kvs.blocks import block_group, simple_block
from inferfleet.streams.kvs.ebml import Id, Malformed, element

PAYLOADS = [b"a" * 300, b"b" * 500, b"c" * 20]


def contents(data: bytes, laced: list) -> list[bytes]:
    return [data[block.start : block.stop] for block in laced]


@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        (0x02, bytes((255, 45, 255, 245))),
        # 300 as it is; then 500 - 300 as a signed difference: 200 + (2^13 - 1) in two bytes.
        (0x06, (0x4000 | 300).to_bytes(2, "big") + (0x4000 | 200 + 8191).to_bytes(2, "big")),
    ],
    ids=["xiph", "ebml"],
)
def test_laced_frames_come_apart(flags, sizes):
    data = b"\x81\x00\x10" + bytes((0x80 | flags, 2)) + sizes + b"".join(PAYLOADS)
    found = simple_block(data, 0, len(data))
    assert contents(data, found) == PAYLOADS
    assert {(block.track, block.timecode, block.keyframe) for block in found} == {(1, 16, True)}


def test_fixed_lacing_divides_evenly():
    data = b"\x81\x00\x00\x04\x02" + b"aaabbbccc"
    assert contents(data, simple_block(data, 0, len(data))) == [b"aaa", b"bbb", b"ccc"]


def test_negative_timecodes_and_long_track_numbers():
    data = b"\x41\x00\xff\xf0\x00xyz"
    (block,) = simple_block(data, 0, len(data))
    assert (block.track, block.timecode, block.keyframe) == (256, -16, False)


def test_a_block_group_is_a_keyframe_when_it_refers_to_none():
    block = element(Id.BLOCK, b"\x81\x00\x01\x00frame")
    for reference, keyframe in ((b"", True), (element(Id.REFERENCE_BLOCK, b"\xff"), False)):
        data = b"??" + element(0x9B, b"\x28") + block + reference
        (found,) = block_group(data, 2, len(data))
        assert data[found.start : found.stop] == b"frame"
        assert found.keyframe is keyframe


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81\x00",
        b"\x00\x00\x00\x00",
        b"\x81\x00\x00\x04",
        b"\x81\x00\x00\x04\x01abc",
        b"\x81\x00\x00\x02\x01\xff",
        b"\x81\x00\x00\x02\x01\x09abc",
        b"\x81\x00\x00\x06\x01\xff",
        b"\x81\x00\x00\x06\x02\x81\x80aaa",
    ],
)
def test_a_malformed_block_is_told(data):
    with pytest.raises(Malformed):
        simple_block(data, 0, len(data))


def test_a_block_group_without_a_block_is_told():
    data = element(0x9B, b"\x28")
    with pytest.raises(Malformed, match="without a Block"):
        block_group(data, 0, len(data))

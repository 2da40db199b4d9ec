"""Matroska blocks: which bytes of a SimpleBlock or BlockGroup are frames, of which track, and when.

Source of the layout and of the three kinds of lacing (several small frames in one block): RFC 9559, section 10.
"""

from __future__ import annotations

from typing import NamedTuple

from inferfleet.streams.kvs.ebml import SIZE_MASK, UNKNOWN_SIZE, Buffer, Id, Malformed, children, read_size

KEYFRAME = 0x80
LACING = 0x06
"""Bits of a block's flags."""
PLAIN_HEAD = 4
"""Bytes before the frame where the track's number takes one: that, the timecode's two, the flags."""
_XIPH, _FIXED = 0x02, 0x04
_TIMECODE_AND_FLAGS = 3


class Block(NamedTuple):
    """A frame within a buffer.

    Attributes:
        start: Where it begins.
        stop: Where it ends.
        track: Number of its track.
        timecode: Relative to the Cluster's, in units of the segment's timecode scale.
        keyframe: It can be decoded on its own.
    """

    start: int
    stop: int
    track: int
    timecode: int
    keyframe: bool


def simple_block(data: Buffer, start: int, stop: int) -> list[Block]:
    """Reads the SimpleBlock whose body is `data[start:stop]`.

    Raises:
        Malformed: It is shorter than its own header, or its lacing does not add up.
    """
    track, length = read_size(data, start, stop)
    at = start + length + _TIMECODE_AND_FLAGS
    if at > stop:
        raise Malformed("a block is shorter than its header")
    timecode = int.from_bytes(data[at - 3 : at - 1], "big", signed=True)
    flags = data[at - 1]
    keyframe = bool(flags & KEYFRAME)
    if not flags & LACING:
        return [Block(at, stop, track, timecode, keyframe)]
    frames = []
    at, sizes = _laced(data, at, stop, flags & LACING)
    for size in sizes:
        frames.append(Block(at, at + size, track, timecode, keyframe))
        at += size
    return frames


def block_group(data: Buffer, start: int, stop: int) -> list[Block]:
    """Reads the BlockGroup whose body is `data[start:stop]`: a keyframe is one that refers to no other.

    Raises:
        Malformed: It is no sequence of elements, holds no Block, or one that is malformed.
    """
    blocks: list[Block] = []
    keyframe = True
    for ident, begin, end in children(data, start, stop):
        if ident == Id.BLOCK:
            blocks = simple_block(data, begin, end)
        keyframe = keyframe and ident != Id.REFERENCE_BLOCK
    if not blocks:
        raise Malformed("a BlockGroup without a Block")
    return [block._replace(keyframe=keyframe) for block in blocks]


def _laced(data: Buffer, at: int, stop: int, kind: int) -> tuple[int, list[int]]:
    """The sizes of the frames of a laced block, and where the first of them begins."""
    if at >= stop:
        raise Malformed("a laced block without its count")
    count = data[at] + 1
    at += 1
    if kind == _FIXED:
        size, rest = divmod(stop - at, count)
        if rest:
            raise Malformed(f"fixed lacing: {stop - at} bytes are not {count} equal frames")
        return at, [size] * count
    at, sizes = (_xiph if kind == _XIPH else _ebml)(data, at, stop, count - 1)
    last = stop - at - sum(sizes)
    if last < 0 or any(size < 0 for size in sizes):
        raise Malformed("the laced frames are larger than their block")
    return at, [*sizes, last]


def _xiph(data: Buffer, at: int, stop: int, count: int) -> tuple[int, list[int]]:
    sizes = []
    for _ in range(count):
        size, more = 0, True
        while more:
            if at >= stop:
                raise Malformed("Xiph lacing is cut off")
            size += data[at]
            more = data[at] == 255  # noqa: PLR2004 - the largest byte says that the sum goes on
            at += 1
        sizes.append(size)
    return at, sizes


def _ebml(data: Buffer, at: int, stop: int, count: int) -> tuple[int, list[int]]:
    """The first size as it is, each following one as a signed difference."""
    sizes: list[int] = []
    for _ in range(count):
        value, length = read_size(data, at, stop)
        at += length
        if value == UNKNOWN_SIZE:
            raise Malformed("EBML lacing is cut off")
        sizes.append(sizes[-1] + value - (SIZE_MASK[length] >> 1) if sizes else value)
    return at, sizes

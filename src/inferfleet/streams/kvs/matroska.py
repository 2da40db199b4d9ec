"""The incremental Matroska reader: bytes of a body in, in chunks of any size; complete fragments out.

It walks each element once, as soon as its bytes are there, so the work is proportional to the bytes however they
are cut. A fragment's bytes are copied once, into a buffer that becomes the fragment's own: frames are views of it.
The element walk is flat: Segment and Cluster are entered rather than awaited, so their sizes may be unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from inferfleet.streams.kvs import fragments, masters
from inferfleet.streams.kvs.assembly import Assembly
from inferfleet.streams.kvs.blocks import KEYFRAME, LACING, PLAIN_HEAD, Block, block_group, simple_block
from inferfleet.streams.kvs.drafts import Draft, Segment
from inferfleet.streams.kvs.ebml import (
    ID_LENGTH,
    SIZE_LENGTH,
    SIZE_MASK,
    UNKNOWN_SIZE,
    Buffer,
    Id,
    Malformed,
    as_uint,
    read_size,
)
from inferfleet.streams.kvs.errors import DamageError, StreamError, stream_error
from inferfleet.streams.kvs.fragments import Fragment

MAX_FRAGMENT_BYTES = 51 * 2**20
"""The service's limit of 50 MB a fragment (PutMedia quotas), and room for the metadata around it."""

_MAX_METADATA = 2**20
"""Bytes of an element that holds no frame; real ones have a few hundred. What claims more is not waited for."""
_MAX_FRAMES = 50_000
"""Frames of a fragment: 20 seconds of three tracks at 833 a second. It bounds what the list of them takes."""
_MAX_TAGS = 1_000
"""Tags of a fragment; the service allows a producer ten."""

_MAGIC = Id.EBML.to_bytes(4, "big")
_PROBE = 16
"""Bytes of an EBML header that are looked at before it is believed."""
_MAX_HEADER = 1024
_BEGINS_HEADER = frozenset((0x42, Id.VOID, Id.CRC_32))
"""First bytes of the ids that an EBML header may begin with."""
_LEAST_BLOCK = 2 + PLAIN_HEAD
"""Bytes of the smallest SimpleBlock: its id, a size of one byte, its head."""
_LONG_NUMBER = 0x7F
"""From this number on a track's takes more than one byte."""
_OUTSIDE = -2
"""Stands for the end of a Cluster while there is none."""

_IN_CLUSTER = frozenset((Id.TIMECODE, Id.SIMPLE_BLOCK, Id.BLOCK_GROUP, Id.VOID, Id.CRC_32, 0x5854, 0xA7, 0xAB, 0xAF))
"""All children of a Cluster (RFC 9559, section 5.1.3); those in hexadecimal are skipped."""
_IN_SEGMENT = frozenset(
    (Id.SEEK_HEAD, Id.INFO, Id.TRACKS, Id.TAGS, Id.CLUSTER, Id.CUES, Id.CHAPTERS, Id.ATTACHMENTS)
) | {Id.EBML, Id.SEGMENT, Id.VOID, Id.CRC_32}
"""All children of a Segment, and the two elements that begin a new one."""


class Framing(Enum):
    """What ends a fragment, which differs between the calls that carry Matroska."""

    GET_MEDIA = auto()
    """Its closing tags (continuation token, lag), which the service sends as soon as the fragment is complete."""
    ARCHIVED = auto()
    """The next EBML header or the end of the body (GetMediaForFragmentList)."""
    PUT_MEDIA = auto()
    """The next Cluster, or the end of the body: what a producer sends, or a file."""


Item = Fragment | StreamError | DamageError
"""What comes out. Errors are handed out, not raised, so that what precedes them in the same chunk is not lost."""


class MatroskaReader:
    """Reads one body. It is not thread-safe.

    Memory stays below three times `max_fragment_bytes`, whatever the bytes say.

    Attributes:
        resyncs: How often it had to look for the next EBML header because of damage.
    """

    def __init__(
        self,
        framing: Framing = Framing.GET_MEDIA,
        *,
        max_fragment_bytes: int = MAX_FRAGMENT_BYTES,
        max_skew: float = fragments.MAX_SKEW_S,
    ) -> None:
        """Begins a body.

        Args:
            framing: What ends a fragment in it.
            max_fragment_bytes: What claims to be larger is damage.
            max_skew: Seconds between producer and server time beyond which the producer's is not trusted.
        """
        self.resyncs = 0
        self._framing = framing
        self._limit = max_fragment_bytes
        self._max_skew = max_skew
        self._bytes = Assembly()
        self._need = 0
        self._is_synced = True
        self._segment: Segment | None = None
        self._draft = Draft()
        self._cluster_end = _OUTSIDE
        self._cluster_timecode = 0
        self._items: list[Item] = []

    @property
    def held_bytes(self) -> int:
        """Bytes of memory held for the fragment that is on its way."""
        return self._bytes.capacity

    def feed(self, chunk: Buffer) -> Sequence[Item]:
        """Takes the next bytes of the body, any number of them.

        Returns:
            The fragments that they complete and the errors that they reveal, in order.
        """
        self._items = []
        for piece in self._bytes.pieces(chunk):
            if moved := self._bytes.append(piece):
                self._need -= moved
                self._cluster_end -= moved if self._cluster_end >= 0 else 0
            if self._bytes.end >= self._need:
                self._walk()
        return self._items

    def finish(self) -> Sequence[Item]:
        """Takes the end of the body.

        Returns:
            The last fragment, where the end of the body is what completes it. A GetMedia body that ends within a
            fragment says nothing: the service cuts bodies anywhere, and the fragment comes again on resuming.
        """
        self._items = []
        if self._framing is not Framing.GET_MEDIA and self._draft.has_cluster:
            if self._bytes.at == self._bytes.end and self._cluster_end in (_OUTSIDE, UNKNOWN_SIZE, self._bytes.at):
                self._emit()
            else:
                self._report("the body ends within an element")
        return self._items

    def _walk(self) -> None:
        while self._bytes.end >= self._need:
            try:
                if self._cluster_end != _OUTSIDE:
                    self._take_plain_blocks()
                if not (self._step() if self._is_synced else self._find_header()):
                    return
            except Malformed as problem:
                self._report(str(problem))
                self._lose_sync()

    def _take_plain_blocks(self) -> None:
        """Takes the SimpleBlocks that come next, all there and of the plain kind: one frame each, no lacing.

        It does what `_step` does for each of them, but in one loop: most of a body is such blocks. Whatever is not as
        expected is left to `_step`, which knows what is wrong with it.
        """
        data, at, start = self._bytes.data, self._bytes.at, self._bytes.start
        limit = min(self._bytes.end, start + self._limit)
        if self._cluster_end >= 0:
            limit = min(limit, self._cluster_end)
        known = {0x80 | t.number for t in self._segment.tracks if t.number < _LONG_NUMBER} if self._segment else set()
        base, blocks = self._cluster_timecode, self._draft.blocks
        while at + _LEAST_BLOCK <= limit and data[at] == Id.SIMPLE_BLOCK and len(blocks) < _MAX_FRAMES:
            length = SIZE_LENGTH[data[at + 1]]
            body = at + 1 + length
            stop = body + (int.from_bytes(data[at + 1 : body], "big") & SIZE_MASK[length])
            if stop > limit or stop - body < PLAIN_HEAD:
                break
            track, high, low, flags = data[body : body + PLAIN_HEAD]
            if track not in known or flags & LACING:
                break
            timecode = base + (high << 8 | low) - ((high & 0x80) << 9)
            blocks.append(Block(body + PLAIN_HEAD - start, stop - start, track & 0x7F, timecode, flags >= KEYFRAME))
            at = stop
        self._bytes.at = at

    def _step(self) -> bool:
        """Takes one element; false when its bytes are not all there yet."""
        if self._bytes.at == self._cluster_end:
            self._cluster_end = _OUTSIDE
        head = self._head()
        if head is None:
            return False
        ident, body, stop = head
        self._check_place(ident, stop)
        if ident == Id.SEGMENT:
            self._bytes.at = body
        elif ident == Id.CLUSTER:
            self._enter_cluster(body, stop)
        elif ident == Id.EBML and self._bytes.at != self._bytes.start:
            self._end_segment()
        elif stop > self._bytes.end:
            self._need = stop
            return False
        else:
            self._take(ident, body, stop)
            self._bytes.at = stop
            self._emit_when_closed(ident)
        return True

    def _head(self) -> tuple[int, int, int] | None:
        """The next element's id, where its body starts, and where it stops (UNKNOWN_SIZE where it does not say)."""
        data, at, end = self._bytes.data, self._bytes.at, self._bytes.end
        if at == end:
            self._need = at + 1
            return None
        id_length = ID_LENGTH[data[at]]
        if not id_length:
            raise Malformed(f"no element begins with the byte 0x{data[at]:02X}")
        if at + id_length >= end:
            self._need = at + id_length + 1
            return None
        size_length = SIZE_LENGTH[data[at + id_length]]
        if not size_length:
            raise Malformed("a size begins with a zero byte")
        body = at + id_length + size_length
        if body > end:
            self._need = body
            return None
        mask = SIZE_MASK[size_length]
        size = int.from_bytes(data[at + id_length : body], "big") & mask
        ident = int.from_bytes(data[at : at + id_length], "big")
        return ident, body, UNKNOWN_SIZE if size == mask else body + size

    def _check_place(self, ident: int, stop: int) -> None:
        """Sees that an element may stand where it does, leaving a Cluster of unknown size that it ends."""
        if self._segment is None and ident != Id.EBML:
            raise Malformed("the body does not begin with an EBML header")
        if self._cluster_end == UNKNOWN_SIZE and ident in _IN_SEGMENT and ident not in _IN_CLUSTER:
            self._cluster_end = _OUTSIDE
        is_inside = self._cluster_end != _OUTSIDE
        if ident not in (_IN_CLUSTER if is_inside else _IN_SEGMENT):
            raise Malformed(f"element 0x{ident:X} does not belong into a {'Cluster' if is_inside else 'Segment'}")
        if ident in (Id.SEGMENT, Id.CLUSTER):
            return
        if stop == UNKNOWN_SIZE:
            raise Malformed(f"element 0x{ident:X} does not say its size")
        if self._cluster_end >= 0 and stop > self._cluster_end:
            raise Malformed("an element is larger than its Cluster")
        begin, limit = self._bytes.start, self._limit
        if ident not in (Id.SIMPLE_BLOCK, Id.BLOCK_GROUP):
            begin, limit = self._bytes.at, min(limit, _MAX_METADATA)
        if stop - begin > limit:
            raise Malformed(f"element 0x{ident:X} ends {stop - begin} bytes on; the most is {limit}")

    def _enter_cluster(self, body: int, stop: int) -> None:
        if self._draft.has_cluster and self._framing is Framing.PUT_MEDIA:
            self._emit()
            return
        if stop - self._bytes.start > self._limit:
            raise Malformed(f"a Cluster of {stop - body} bytes; the most is {self._limit}")
        self._draft.has_cluster = True
        self._draft.is_whole = self._draft.is_whole and stop != UNKNOWN_SIZE
        self._cluster_end, self._cluster_timecode = stop, 0
        self._bytes.at = body

    def _take(self, ident: int, body: int, stop: int) -> None:
        """Reads an element that is all there."""
        data = self._bytes.data
        if ident == Id.SIMPLE_BLOCK:
            self._add_frames(simple_block(data, body, stop))
        elif ident == Id.BLOCK_GROUP:
            self._add_frames(block_group(data, body, stop))
        elif ident == Id.TIMECODE:
            self._cluster_timecode = as_uint(data[body:stop])
            if self._draft.timecode is None:
                self._draft.timecode = self._cluster_timecode
        elif ident == Id.TAGS:
            self._add_tags(dict(masters.tags(data, body, stop)))
        elif ident == Id.EBML:
            self._segment = Segment()
        elif ident == Id.INFO and self._segment:
            self._segment.scale = masters.timecode_scale(data, body, stop)
        elif ident == Id.TRACKS and self._segment:
            self._segment.tracks = masters.tracks(data, body, stop)

    def _add_frames(self, found: list[Block]) -> None:
        tracks = self._segment.tracks if self._segment else ()
        if all(track.number != found[0].track for track in tracks):
            raise Malformed(f"a frame of track {found[0].track}, which the segment does not have")
        if len(self._draft.blocks) + len(found) > _MAX_FRAMES:
            raise Malformed(f"a fragment of more than {_MAX_FRAMES} frames")
        start, timecode = self._bytes.start, self._cluster_timecode
        self._draft.blocks += [
            Block(b.start - start, b.stop - start, b.track, timecode + b.timecode, b.keyframe) for b in found
        ]

    def _add_tags(self, found: dict[str, str]) -> None:
        draft = self._draft
        for name, value in found.items():
            (draft.service if name.startswith(fragments.SERVICE_PREFIX) else draft.tags)[name] = value
        if len(draft.service) + len(draft.tags) > _MAX_TAGS:
            raise Malformed(f"a fragment of more than {_MAX_TAGS} tags")

    def _emit_when_closed(self, ident: int) -> None:
        """Acts on the service's tags: an error ends the body, the closing tags complete the fragment."""
        service = self._draft.service
        if ident != Id.TAGS or not service:
            return
        if fragments.ERROR_ID in service or fragments.ERROR_CODE in service:
            number = fragments.whole_number(service.get(fragments.ERROR_ID)) or 0
            self._items.append(stream_error(number, service.get(fragments.ERROR_CODE, "")))
            self._draft = Draft()
        elif fragments.CONTINUATION_TOKEN in service or fragments.MILLIS_BEHIND_NOW in service:
            if self._draft.has_cluster:
                self._emit()
            else:
                self._draft = Draft()

    def _end_segment(self) -> None:
        """Acts on an EBML header that follows something: what was before it is complete, or never will be."""
        if self._draft.has_cluster:
            if self._framing is Framing.GET_MEDIA and not self._draft.is_whole:
                number = self._draft.service.get(fragments.FRAGMENT_NUMBER, "without a number")
                self._report(f"fragment {number} ends without its closing tags")
            else:
                self._emit()
                return
        self._draft = Draft()
        self._bytes.begin_at(self._bytes.at)

    def _emit(self) -> None:
        segment = self._segment or Segment()
        draft, self._draft = self._draft, Draft()
        self._items.append(draft.fragment(segment, self._bytes.take(), self._max_skew))
        self._cluster_end = _OUTSIDE
        self._need = 0

    def _report(self, what: str) -> None:
        self._items.append(DamageError(what, self._bytes.place))

    def _lose_sync(self) -> None:
        """Begins to look for the next EBML header, also in what the damaged fragment has swallowed."""
        self.resyncs += 1
        self._is_synced = False
        self._segment, self._draft = Segment(), Draft()
        self._cluster_end = _OUTSIDE
        self._need = 0
        self._bytes.begin_at(min(self._bytes.start + 1, self._bytes.end))

    def _find_header(self) -> bool:
        """Goes to the next EBML header; false when there is none yet."""
        data, end = self._bytes.data, self._bytes.end
        at = data.find(_MAGIC, self._bytes.at, end)
        if at < 0:
            self._bytes.begin_at(max(self._bytes.at, end - len(_MAGIC) + 1))
            self._need = end + 1
            return False
        self._bytes.begin_at(at)
        if end - at < _PROBE:
            self._need = at + _PROBE
            return False
        size, length = read_size(data, at + len(_MAGIC), end)
        if 0 <= size <= _MAX_HEADER and data[at + len(_MAGIC) + length] in _BEGINS_HEADER:
            self._is_synced = True
        else:
            self._bytes.begin_at(at + 1)
        return True

"""From which packets decoding can begin with nothing before them.

A packet's key flag is not enough: H.264 sets it on recovery points too, behind which pictures may still need what
came before. So the packet's own units are looked at (ITU-T H.264 table 7-1, H.265 table 7-1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from av.codec.context import CodecContext
    from av.packet import Packet
    from av.video.stream import VideoStream

Entry = Literal["none", "closed", "open"]
"""`closed`: nothing after it needs anything before it. `open`: only frames shown before it do."""

_OPEN_GOP = frozenset({"mpeg1video", "mpeg2video", "mpeg4"})
_CLOSED_GOP = frozenset({"vp8", "vp9", "av1", "libdav1d", "libaom-av1", "libvpx", "libvpx-vp9"})
_START_CODE = re.compile(rb"\x00\x00\x01")
_H264_IDR = 5
_HEVC_IDR = (19, 20)
_HEVC_OTHER_ENTRY = (16, 17, 18, 21)


class KeyFrames:
    """Classifies the packets of one stream."""

    def __init__(self, context: CodecContext) -> None:
        """Takes from the stream's codec how to look at its packets."""
        extra = context.extradata or b""
        self._codec = context.codec.canonical_name
        self._intra_only = context.codec.intra_only
        self._is_annex_b = not extra or extra[0] != 1
        place = 4 if self._codec == "h264" else 21
        self._prefix = (extra[place] & 3) + 1 if not self._is_annex_b and len(extra) > place else 4
        self.drops_unreferenced = self._codec == "h264"
        """Whether the decoder's NONREF skipping is exact. In H.265 a unit that its own temporal layer does not
        reference may still be referenced by a higher one."""

    def entry(self, packet: Packet[VideoStream]) -> Entry:
        """Whether decoding can begin at a packet."""
        if self._intra_only:
            return "closed"
        if not packet.is_keyframe:
            return "none"
        if self._codec in ("h264", "hevc"):
            return self._entry_by_units(bytes(packet))
        if self._codec in _CLOSED_GOP:
            return "closed"
        return "open" if self._codec in _OPEN_GOP else "none"

    def _entry_by_units(self, data: bytes) -> Entry:
        for head in self._heads(data):
            if self._codec == "h264":
                if head & 0x1F == _H264_IDR:
                    return "closed"
            elif (kind := head >> 1 & 0x3F) in _HEVC_IDR:
                return "closed"
            elif kind in _HEVC_OTHER_ENTRY:
                return "open"
        return "none"

    def _heads(self, data: bytes) -> Iterator[int]:
        """The first byte of each unit in a packet."""
        if self._is_annex_b:
            yield from (data[m.end()] for m in _START_CODE.finditer(data) if m.end() < len(data))
            return
        at = 0
        while at + self._prefix < len(data):
            yield data[at + self._prefix]
            at += self._prefix + int.from_bytes(data[at : at + self._prefix])

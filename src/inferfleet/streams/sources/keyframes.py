"""From which packets decoding can begin with nothing before them.

A packet's key flag is not enough: for H.264, FFmpeg sets it on any recovery point, also where the picture is whole
only some frames later. So the packet's own units are looked at (ITU-T H.264 tables 7-1 and D.1.8, H.265 table 7-1).
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

_CLOSED_GOP = frozenset({"vp8", "vp9", "av1"})
_START_CODE = re.compile(rb"\x00\x00\x01")
_H264_IDR = 5
_H264_SEI = 6
_RECOVERY_POINT = 6
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
        return "closed" if self._codec in _CLOSED_GOP else "open"

    def _entry_by_units(self, data: bytes) -> Entry:
        for start in self._starts(data):
            head = data[start]
            if self._codec == "h264":
                if head & 0x1F == _H264_IDR:
                    return "closed"
                if head & 0x1F == _H264_SEI and _recovers_at_once(data[start + 1 : start + 64]):
                    return "open"
            elif (kind := head >> 1 & 0x3F) in _HEVC_IDR:
                return "closed"
            elif kind in _HEVC_OTHER_ENTRY:
                return "open"
        return "none"

    def _starts(self, data: bytes) -> Iterator[int]:
        """Where the units of a packet begin."""
        if self._is_annex_b:
            yield from (m.end() for m in _START_CODE.finditer(data) if m.end() < len(data))
            return
        at = 0
        while at + self._prefix < len(data):
            yield at + self._prefix
            at += self._prefix + int.from_bytes(data[at : at + self._prefix])


def _recovers_at_once(messages: bytes) -> bool:
    """Whether SEI messages hold a recovery point with `recovery_frame_cnt` 0, whose code is a single 1 bit."""
    at = 0
    while at + 2 < len(messages):
        kind, size = messages[at], messages[at + 1]
        if kind == _RECOVERY_POINT:
            return bool(messages[at + 2] & 0x80)
        if size == 0xFF:  # noqa: PLR2004 - long messages go on; what is behind them is not looked at
            return False
        at += 2 + size
    return False

"""A fragment on its way: what has been read of it so far, and how it becomes a `Fragment` when it is complete."""

from __future__ import annotations

from dataclasses import dataclass, field

from inferfleet.streams.kvs import fragments, masters
from inferfleet.streams.kvs.blocks import Block
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track


@dataclass(slots=True)
class Segment:
    """What the metadata before the Clusters say; it lasts until the next EBML header."""

    scale: int = masters.DEFAULT_TIMECODE_SCALE
    tracks: tuple[Track, ...] = ()


@dataclass(slots=True)
class Draft:
    """A fragment on its way.

    Attributes:
        has_cluster: A Cluster has begun.
        is_whole: All Clusters so far said their size and have all their bytes.
        timecode: The first Cluster's, in units of the segment's scale; None until it is known.
        blocks: Its frames so far; places count from the fragment's beginning, timecodes are absolute.
        service: The service's tags.
        tags: The producer's tags.
    """

    has_cluster: bool = False
    is_whole: bool = True
    timecode: int | None = None
    blocks: list[Block] = field(default_factory=list)
    service: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def fragment(self, segment: Segment, data: memoryview, max_skew: float) -> Fragment:
        """Puts the finished fragment together.

        Args:
            segment: The metadata that it stands under.
            data: Its bytes.
            max_skew: See `fragments.trusted_start`.
        """
        service = self.service
        server = service.get(fragments.SERVER_TIMESTAMP) or service.get(fragments.SERVER_SIDE_TIMESTAMP)
        server_time = fragments.seconds(server)
        producer_time = fragments.seconds(service.get(fragments.PRODUCER_TIMESTAMP))
        start, clock = fragments.trusted_start(producer_time, server_time, max_skew)
        base = self.timecode or 0
        return Fragment(
            number=service.get(fragments.FRAGMENT_NUMBER, ""),
            producer_time=producer_time,
            server_time=server_time,
            start=start,
            clock=clock,
            continuation_token=service.get(fragments.CONTINUATION_TOKEN, ""),
            millis_behind=fragments.whole_number(service.get(fragments.MILLIS_BEHIND_NOW)),
            tags=self.tags,
            tracks=segment.tracks,
            frames=tuple(
                Frame(
                    track=block.track,
                    timecode=block.timecode * segment.scale,
                    time=None if start is None else start + (block.timecode - base) * segment.scale / 1e9,
                    keyframe=block.keyframe,
                    data=data[block.start : block.stop],
                )
                for block in self.blocks
            ),
            timecode=base * segment.scale,
            size=len(data),
        )

"""What it means that objects are in zones: enter, leave, dwell, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inferfleet.config.cameras import Zone
from inferfleet.streams.analysis.announce import Announcer
from inferfleet.streams.analysis.confirm import may_fire
from inferfleet.streams.analysis.state import Tally
from inferfleet.streams.analysis.track import SECOND, Moment, Stay, Track
from inferfleet.streams.event import Event


class Presence:
    """The zone events of one camera. What is known of each object is in its track."""

    def __init__(self, zones: Mapping[str, Zone], cooldown: int, announce: Announcer) -> None:
        """Makes it.

        Args:
            zones: The zones.
            cooldown: Microseconds before the same event about a track and a zone may come again.
            announce: Writes the events.
        """
        self._zones = zones
        self._cooldown = cooldown
        self._announce = announce

    def move(self, track: Track, held: Sequence[bool]) -> Iterator[Event]:
        """Follows a track that was just seen.

        Args:
            track: The track; its stays are kept.
            held: Whether it is in each zone, in the order of the configuration.
        """
        clock = track.seen.clock
        for (name, zone), inside in zip(self._zones.items(), held, strict=True):
            stay = track.stays.get(name)
            if not inside:
                if stay is not None:
                    yield from self._left(track, name, stay, clock)
                continue
            if stay is None:
                stay = track.stays[name] = Stay(clock)
            if not track.confirmed:
                continue
            if not stay.entered:
                stay.entered = True
                if self._may(track, "enter", name, clock):
                    yield self._announce.enter(track, name)
            if not stay.dwelt and clock - stay.since >= zone.dwell * SECOND:
                stay.dwelt = True
                if self._may(track, "dwell", name, clock):
                    yield self._announce.dwell(track, name, stay)

    def end(self, track: Track) -> Iterator[Event]:
        """Lets a track that ended leave the zones it was last seen in."""
        for name in self.zones_of(track):
            yield from self._left(track, name, track.stays[name], track.ended)

    def zones_of(self, track: Track) -> tuple[str, ...]:
        """The zones that a track is in."""
        return tuple(name for name in self._zones if name in track.stays)

    def count(self, tracks: Sequence[Track], tallies: Mapping[str, Tally], moment: Moment) -> Iterator[Event]:
        """Tells how many believed objects are in the zones, where that changed.

        Args:
            tracks: All tracks.
            tallies: What was said last, kept here.
            moment: Now.
        """
        for name, tally in tallies.items():
            count = sum(name in track.stays and track.stays[name].entered for track in tracks)
            pause = max(self._zones[name].count_every * SECOND, self._cooldown)
            if count != tally.count and (tally.at is None or moment.clock - tally.at >= pause):
                tally.count, tally.at = count, moment.clock
                yield self._announce.count(moment, name, count)

    def _left(self, track: Track, name: str, stay: Stay, clock: int) -> Iterator[Event]:
        del track.stays[name]
        if stay.entered and self._may(track, "leave", name, clock):
            yield self._announce.leave(track, name, stay)

    def _may(self, track: Track, what: str, name: str, clock: int) -> bool:
        wanted = what in self._zones[name].events
        return wanted and may_fire(track, f"zone.{what}:{name}", clock, self._cooldown)

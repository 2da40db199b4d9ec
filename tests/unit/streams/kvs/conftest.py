"""Bodies as Kinesis Video Streams sends them, built element by element so that a test can bend any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from inferfleet.streams.kvs import fragments, writer
from inferfleet.streams.kvs.fragments import Frame, Track
from inferfleet.streams.kvs.matroska import Framing, Item, MatroskaReader

VIDEO = Track(number=1, kind=1, codec="V_MPEG4/ISO/AVC", private=b"\x01avcC", name="kinesis_video", width=64, height=48)
AUDIO = Track(number=2, kind=2, codec="A_AAC", private=b"\x12\x10", sample_rate=8000.0, channels=1)


@dataclass
class Bodies:
    """Builds fragments of a body.

    Attributes:
        tracks: What each fragment's header lists.
        sized: Whether Clusters say their size.
    """

    tracks: tuple[Track, ...] = (VIDEO,)
    sized: bool = True
    tags: dict[str, str] = field(default_factory=dict)

    def frames(self, count: int = 4, size: int = 40, timecode: int = 0) -> list[Frame]:
        """Frames 40 ms apart; timecode in milliseconds."""
        return [
            Frame(1, (timecode + 40 * n) * 1_000_000, None, n == 0, memoryview(bytes([n % 251]) * (size + n)))
            for n in range(count)
        ]

    def head(self, number: int, **service: str) -> bytes:
        """Up to the Cluster. `service` replaces tags by the end of their names; an empty one is left out."""
        values = {
            "FRAGMENT_NUMBER": str(91343852333181432392682062607743920146159169392 + number),
            "SERVER_TIMESTAMP": f"{1_700_000_000.5 + 2 * number:.3f}",
            "PRODUCER_TIMESTAMP": f"{1_700_000_000 + 2 * number:.3f}",
        } | service
        named = {fragments.SERVICE_PREFIX + name: value for name, value in values.items() if value}
        return writer.header(self.tracks) + writer.tags(named)

    def closing(self, number: int, behind: int = 0) -> bytes:
        """The tags that complete a fragment."""
        token = str(91343852333181432392682062607743920146159169392 + number)
        return writer.tags({fragments.MILLIS_BEHIND_NOW: str(behind), fragments.CONTINUATION_TOKEN: token})

    def fragment(
        self,
        number: int = 0,
        frames: Sequence[Frame] | None = None,
        tags: Mapping[str, str] | None = None,
        **service: str,
    ) -> bytes:
        """A whole fragment."""
        media = writer.cluster(self.frames() if frames is None else frames, sized=self.sized)
        return self.head(number, **service) + media + writer.tags(tags or {}) + self.closing(number)


@pytest.fixture
def bodies() -> Bodies:
    """Builds fragments with one video track and Clusters that say their size."""
    return Bodies()


@pytest.fixture(params=[True, False], ids=["sized", "unsized"])
def any_bodies(request: pytest.FixtureRequest) -> Bodies:
    """Builds fragments; once with Clusters of known and once of unknown size."""
    return Bodies(sized=request.param)


def read_body(body: bytes, chunk: int = 0, framing: Framing = Framing.GET_MEDIA, **options: float) -> list[Item]:
    """Reads a body in chunks of a size (0: whole)."""
    reader = MatroskaReader(framing, **options)  # type: ignore[arg-type]
    items: list[Item] = []
    for begin in range(0, len(body), chunk or max(1, len(body))):
        items += reader.feed(body[begin : begin + (chunk or len(body))])
    return items + list(reader.finish())


@pytest.fixture
def read() -> Callable[..., list[Item]]:
    """Reads a body in chunks of a size (0: whole): `read(body, chunk, framing)`."""
    return read_body

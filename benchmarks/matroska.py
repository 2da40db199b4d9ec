"""How fast the Matroska reader is, beside a reader that parses its whole buffer again for every chunk.

Run `python benchmarks/matroska.py` (or `make bench`). Bodies are GetMedia bodies of 0.5 to 8 MB fragments, fed in
64 KiB chunks (the re-parsing reader also in the 1 KiB chunks that such readers use). One core; no decoding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from inferfleet.streams.kvs import fragments, writer
from inferfleet.streams.kvs.fragments import Frame, Track
from inferfleet.streams.kvs.matroska import MatroskaReader

SIZES_MB = (0.5, 1, 2, 4, 8)
CHUNK = 64 * 1024
FRAMES = 60
FLOOR_MB_S = 300
_MAGIC = b"\x1a\x45\xdf\xa3"
_CLOSING = fragments.CONTINUATION_TOKEN.encode()


def body(fragment_mb: float, total_mb: float) -> bytes:
    """A GetMedia body of fragments of `fragment_mb`, two seconds at 30 frames a second each."""
    track = Track(number=1, kind=1, codec="V_MPEG4/ISO/AVC", private=bytes(40), width=1920, height=1080)
    size = int(fragment_mb * 1e6 / FRAMES)
    frames = [Frame(1, n * 33_000_000, None, n == 0, memoryview(bytes([n]) * size)) for n in range(FRAMES)]
    parts = []
    for number in range(max(2, round(total_mb / fragment_mb))):
        opening = {fragments.FRAGMENT_NUMBER: str(number), fragments.PRODUCER_TIMESTAMP: f"{1.7e9 + 2 * number:.3f}"}
        closing = {fragments.MILLIS_BEHIND_NOW: "0", fragments.CONTINUATION_TOKEN: str(number)}
        parts += [writer.header([track]), writer.tags(opening), writer.cluster(frames), writer.tags(closing)]
    return b"".join(parts)


def incremental(data: bytes, chunk: int) -> int:
    """Our reader. Returns the frames it found."""
    reader = MatroskaReader()
    return sum(
        len(item.frames)
        for begin in range(0, len(data), chunk)
        for item in reader.feed(data[begin : begin + chunk])
        if isinstance(item, fragments.Fragment)
    )


def reparsing(data: bytes, chunk: int) -> int:
    """The naive way: keep a buffer, and with each chunk parse all of it from its beginning. Returns the frames."""
    kept, frames = b"", 0
    for begin in range(0, len(data), chunk):
        kept += data[begin : begin + chunk]
        found = MatroskaReader().feed(kept)
        if found and isinstance(found[0], fragments.Fragment):
            frames += len(found[0].frames)
            kept = kept[found[0].size :]
    return frames


def megabytes_a_second(read: Callable[[bytes, int], int], data: bytes, chunk: int, repeat: int) -> float:
    """The best of some runs.

    Raises:
        SystemExit: The reader lost frames, so that its speed means nothing.
    """
    best = float("inf")
    expected = data.count(_CLOSING) * FRAMES
    for _ in range(repeat):
        begin = time.perf_counter()
        found = read(data, chunk)
        best = min(best, time.perf_counter() - begin)
        if found != expected:
            raise SystemExit(f"{read.__name__} found {found} of {expected} frames")
    return len(data) / best / 1e6


def main() -> None:
    """Prints a table, or JSON; fails when the reader is slower than what it promises."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--repeat", type=int, default=5, help="runs of which the best counts")
    options = arguments.parse_args()
    rows = []
    for size in SIZES_MB:
        data = body(size, 64)
        small = data[: data.index(_MAGIC, int(size * 1e6))] if size * 1e6 < len(data) else data
        rows.append(
            {
                "fragment_mb": size,
                "incremental_64k": megabytes_a_second(incremental, data, CHUNK, options.repeat),
                "reparsing_64k": megabytes_a_second(reparsing, data, CHUNK, 1),
                "reparsing_1k": megabytes_a_second(reparsing, small, 1024, 1),
            }
        )
    if options.json:
        print(json.dumps({"unit": "MB/s, one core", "rows": rows}))
    else:
        print("Matroska reader, MB/s on one core")
        print(f"{'fragment':>10} {'ours, 64 KiB':>14} {'re-parsing, 64 KiB':>20} {'re-parsing, 1 KiB':>19}")
        for row in rows:
            print(
                f"{row['fragment_mb']:>7} MB {row['incremental_64k']:>14.0f} "
                f"{row['reparsing_64k']:>20.0f} {row['reparsing_1k']:>19.1f}"
            )
    slowest = min(row["incremental_64k"] for row in rows)
    if slowest < FLOOR_MB_S:
        raise SystemExit(f"the reader took {slowest:.0f} MB/s; it promises {FLOOR_MB_S}")


if __name__ == "__main__":
    main()

"""Fuzzes the Matroska reader with atheris: whatever the bytes, only typed errors and bounded memory.

Run `pip install atheris`, then `python tools/fuzz_matroska.py tools/corpus/matroska -max_total_time=300`
(every option of libFuzzer works). `--write-corpus` writes the seeds anew. The first byte of an input chooses the
framing, the second how it is cut; the rest is the body.
"""

from __future__ import annotations

import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus" / "matroska"
LIMIT = 16 * 1024


def fuzz_one(data: bytes) -> None:
    """Reads one input whole and in chunks, and compares.

    Raises:
        AssertionError: The two differ, something untyped came out, or memory was not bounded.
    """
    from inferfleet.streams.kvs.errors import DamageError, StreamError
    from inferfleet.streams.kvs.fragments import Fragment
    from inferfleet.streams.kvs.matroska import Framing, MatroskaReader

    if len(data) < 2:
        return
    framing = list(Framing)[data[0] % len(Framing)]
    body = data[2:]

    def read(chunk: int) -> list[str]:
        reader = MatroskaReader(framing, max_fragment_bytes=LIMIT)
        items = []
        for begin in range(0, len(body), chunk):
            items += reader.feed(body[begin : begin + chunk])
            assert reader.held_bytes <= 3 * LIMIT + 4 * 64 * 1024, "memory is not bounded"
        items += reader.finish()
        assert all(isinstance(item, Fragment | DamageError | StreamError) for item in items), "an untyped item"
        return [
            str(item) if isinstance(item, Exception) else f"{item.number} {[bytes(f.data) for f in item.frames]}"
            for item in items
        ]

    assert read(1 + data[1]) == read(max(1, len(body))), "what comes out depends on how the body is cut"


def write_corpus() -> None:
    """Writes small bodies of every kind that the reader knows."""
    from inferfleet.streams.kvs import ebml, fragments, writer
    from inferfleet.streams.kvs.ebml import Id
    from inferfleet.streams.kvs.fragments import Frame, Track

    video = Track(number=1, kind=1, codec="V_MPEG4/ISO/AVC", private=b"\x01avcC", width=64, height=48)
    audio = Track(number=2, kind=2, codec="A_AAC", private=b"\x12\x10", sample_rate=8000.0, channels=1)
    frames = [Frame(1 + n % 2, n * 40_000_000, None, n == 0, memoryview(bytes([65 + n]) * 9)) for n in range(4)]
    opening = writer.tags({fragments.FRAGMENT_NUMBER: "7", fragments.SERVER_TIMESTAMP: "1700000000.5"})
    closing = writer.tags({fragments.MILLIS_BEHIND_NOW: "3", fragments.CONTINUATION_TOKEN: "7"})
    error = writer.tags({fragments.ERROR_ID: "5000", fragments.ERROR_CODE: "INTERNAL"})
    head = writer.header([video, audio]) + opening
    group = ebml.element(
        Id.BLOCK_GROUP, ebml.element(Id.BLOCK, b"\x81\x00\x00\x00x") + ebml.uint(Id.REFERENCE_BLOCK, 1)
    )
    laced = b"".join(
        ebml.element(Id.SIMPLE_BLOCK, b"\x81\x00\x00" + lace)
        for lace in (b"\x02\x01\x02aabbb", b"\x04\x01aabb", b"\x06\x02\x82\xc0aabbbc")
    )
    sized, unsized = writer.cluster(frames), writer.cluster(frames, sized=False)
    bodies = {
        "sized": head + sized + closing,
        "unsized": (head + unsized + writer.tags({"door": "open"}) + closing) * 2,
        "blocks": head + ebml.opening(Id.CLUSTER) + ebml.uint(Id.TIMECODE, 5) + group + laced + closing,
        "error": head + sized + closing + writer.header([video]) + error,
        "void": head + ebml.element(Id.VOID, bytes(9)) + sized + ebml.element(Id.CUES, bytes(9)) + closing,
        "truncated": head + sized[:-20] + head + sized + closing,
    }
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, body in bodies.items():
        for framing, kind in enumerate(("get", "archived", "put")):
            (CORPUS / f"{name}-{kind}").write_bytes(bytes((framing, 6)) + body)


def main() -> None:
    """Fuzzes, or writes the corpus."""
    if "--write-corpus" in sys.argv:
        write_corpus()
        return
    import atheris

    with atheris.instrument_imports(include=["inferfleet.streams.kvs"]):
        import inferfleet.streams.kvs.matroska  # noqa: F401
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

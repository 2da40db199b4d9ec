"""The decoder of fragments lets go of its codec at any moment, also while the codec's own threads are at work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.media.clips import Clip, write

ABANDON = """
import sys
from itertools import islice
from pathlib import Path
from inferfleet.streams.kvs import recording, writer
from inferfleet.streams.kvs.decoding import FragmentDecoder
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader

clip = recording.read(Path(sys.argv[1]), fragment_s=0.1)
reader = MatroskaReader(Framing.PUT_MEDIA)
body = writer.header(clip.tracks) + b"".join(writer.cluster(group) for group in clip.groups)
fragments = [*reader.feed(body), *reader.finish()]
for round in range(150):
    decoder = FragmentDecoder(fps_target=None, threads=4, is_live=False)
    taken = list(islice(decoder.push(fragments[0]), 1 + round % 3))
    del decoder
print("done")
"""


def test_a_decoder_with_threads_can_be_dropped_in_the_middle_of_a_fragment(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", Clip(frames=24, gop=24, size=(1280, 720)))
    command = [sys.executable, "-X", "faulthandler", "-c", ABANDON, str(path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert child.stdout == "done\n", child.stderr

"""The spool against a model of it: any sequence of appends, acknowledgements and restarts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from inferfleet.streams.delivery import Spool
from tests.unit.streams.delivery.support import make_checkpoint, make_item

CAMERAS = st.sampled_from(["gate", "yard", "dock"])
SINKS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)


class SpoolMachine(RuleBasedStateMachine):
    """The model: a list of all events ever accepted, and for each sink how many of them it has."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.events: list[tuple[str, int]] = []
        self.cursors: dict[str, int] = {}
        self.progress: dict[str, list[tuple[int, int]]] = {}
        self.frames = 0

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.folder)

    @property
    def deleted(self) -> int:
        return min(self.cursors.values())

    @initialize(sinks=SINKS)
    def begin(self, sinks: list[str]) -> None:
        self.spool = Spool.open(self.folder, sinks)
        self.cursors = dict.fromkeys(sinks, 0)

    @rule(camera=CAMERAS, count=st.integers(0, 4))
    def append(self, camera: str, count: int) -> None:
        frames = list(range(self.frames, self.frames + count))
        self.frames += count + 1
        self.spool.append([make_item(camera, frame) for frame in frames], make_checkpoint(camera, self.frames))
        self.events += [(camera, frame) for frame in frames]
        own = [number for number, (name, _) in enumerate(self.events, 1) if name == camera]
        self.progress.setdefault(camera, []).append((own[-1] if own else 0, self.frames))

    @rule(camera=CAMERAS, back=st.integers(1, 5))
    def append_again(self, camera: str, back: int) -> None:
        held = [(name, frame) for name, frame in self.events[self.deleted :] if name == camera][-back:]
        if held:
            self.frames += 1
            self.spool.append([make_item(*event) for event in held], make_checkpoint(camera, self.frames))
            own = [number for number, (name, _) in enumerate(self.events, 1) if name == camera]
            self.progress.setdefault(camera, []).append((own[-1], self.frames))

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        sink = data.draw(st.sampled_from(sorted(self.cursors)))
        seq = data.draw(st.integers(0, len(self.events)))
        self.spool.acknowledge(sink, seq)
        self.cursors[sink] = max(self.cursors[sink], seq)

    @rule(sinks=SINKS)
    def restart(self, sinks: list[str]) -> None:
        self.spool.close()
        held_from = self.deleted
        self.cursors = {sink: self.cursors.get(sink, held_from) for sink in sinks}
        self.spool = Spool.open(self.folder, sinks)

    @invariant()
    def sinks_get_what_they_lack(self) -> None:
        self.spool.flush()
        assert set(self.spool.sinks) == set(self.cursors)
        for sink, cursor in self.cursors.items():
            assert self.spool.backlog(sink).events == len(self.events) - cursor
            reader = self.spool.reader(sink)
            got = [(row.item.event.subject, row.item.event.data.position.frame) for row in reader.read(1000, 10**9)]
            reader.close()
            assert got == self.events[cursor:]

    @invariant()
    def progress_is_known(self) -> None:
        for camera, marks in self.progress.items():
            assert self.spool.checkpoint(camera) == make_checkpoint(camera, marks[-1][1])
            safe = [frame for seq, frame in marks if seq <= self.deleted]
            delivered = self.spool.delivered_checkpoint(camera)
            # Progress without events may have been overtaken before it was written; never is it ahead.
            assert delivered is None or int(delivered.token) <= max(safe, default=-1)
            if marks[-1][0] <= self.deleted:
                assert delivered == make_checkpoint(camera, marks[-1][1])

    @invariant()
    def space_is_free_when_all_is_delivered(self) -> None:
        assert (self.spool.size_bytes == 0) == (self.deleted == len(self.events))


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)

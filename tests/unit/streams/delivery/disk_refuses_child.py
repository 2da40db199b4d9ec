"""A disk that refuses to write for a while: files may not grow. Prints `done` when all went as it should.

Argument: a folder.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from pathlib import Path

from inferfleet.streams.delivery import Attachment, Spool, SpoolError
from tests.unit.streams.delivery.support import eventually, make_checkpoint, make_item


def append(spool: Spool, frame: int) -> None:
    """Appends an event with a large picture."""
    picture = Attachment(f"{frame}.jpg", "image/jpeg", os.urandom(3_000_000), "a")
    spool.append([make_item("gate", frame, (picture,))], make_checkpoint("gate", frame))


def main(folder: Path) -> None:
    """Lets the disk refuse, then work again, then refuse until the spool is closed."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = Spool.open(folder, ["a"])
    append(spool, 0)

    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, hard))
    waiting = threading.Thread(target=append, args=(spool, 1))
    waiting.start()
    eventually(lambda: spool.trouble is not None, "the disk refuses")
    assert spool.is_full and not spool.wait_for_space(0)
    assert waiting.is_alive(), "the camera waits"
    assert spool.delivered_checkpoint("gate") is None and spool.backlog("a").events == 1

    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    waiting.join()
    assert spool.wait_for_space(5) and spool.trouble is None
    assert spool.backlog("a").events == 2

    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, hard))
    refused: list[SpoolError] = []

    def expect_refusal() -> None:
        try:
            append(spool, 2)
        except SpoolError as error:
            refused.append(error)

    waiting = threading.Thread(target=expect_refusal)
    waiting.start()
    eventually(lambda: spool.trouble is not None, "the disk refuses again")
    spool.close()
    waiting.join()
    assert refused and "could not store events" in str(refused[0])

    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    with Spool.open(folder, ["a"]) as again:
        assert again.backlog("a").events == 2, "what append returned from, and nothing else"
        assert again.checkpoint("gate") == make_checkpoint("gate", 1)
    print("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

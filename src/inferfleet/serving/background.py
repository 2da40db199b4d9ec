"""Work that lets the event loop go first: a model may take all cores, but not the time in which others are answered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_NICENESS = 10
"""Added to a thread's: the kernel then gives the loop nine times the thread's share when both want a core."""


async def run(work: Callable[[], _T]) -> _T:
    """Runs `work` in a thread that steps back for all others; so do the threads that it starts (Linux's way)."""
    with ThreadPoolExecutor(1, initializer=_step_back) as executor:
        return await asyncio.get_running_loop().run_in_executor(executor, work)


def _step_back() -> None:
    """Lowers this thread's priority; each thread has its own on Linux."""
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS)

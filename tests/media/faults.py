"""What a server does wrong, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """After so many pictures of each connection, something happens.

    Attributes:
        kind: `stall` sends nothing more but keeps the connection; `close` closes it; `garbage` sends random bytes.
        after: Pictures that are sent well before.
    """

    kind: Literal["stall", "close", "garbage"]
    after: int = 0

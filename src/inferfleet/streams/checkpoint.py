"""How far a camera has come: the last processed position, and what its analysis knew there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A camera's progress. Going on from here gives the same events as never having stopped.

    Attributes:
        camera: The camera's id.
        token: `Position.token` of the last processed frame.
        state: The camera analysis as `CameraAnalysis.state()` gave it after that frame.
    """

    camera: str
    token: str
    state: bytes

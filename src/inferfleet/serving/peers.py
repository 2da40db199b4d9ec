"""The other processes of the same server, one a device, reached over Unix sockets.

Requests for the whole server (metrics, status, reload) come to whichever process accepted the connection; it asks all
of them, itself included, and puts the answers together.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_SECONDS = 5.0
_RELOAD_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One process.

    Attributes:
        device: What it runs on.
        path: Its Unix socket.
    """

    device: str
    path: Path


class Peers:
    """All processes of a server."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._peers = tuple(peers)

    async def get(self, path: str) -> dict[str, bytes]:
        """Asks all for a path; those that do not answer in time are left out."""
        answers = await asyncio.gather(*(self._ask(peer, "GET", path, _SECONDS) for peer in self._peers))
        return {peer.device: body for peer, (status, body) in zip(self._peers, answers, strict=True) if status}

    async def post(self, path: str) -> dict[str, tuple[int, bytes]]:
        """Posts to all; the status is 0 where there is no answer."""
        answers = await asyncio.gather(*(self._ask(peer, "POST", path, _RELOAD_SECONDS) for peer in self._peers))
        return {peer.device: answer for peer, answer in zip(self._peers, answers, strict=True)}

    async def _ask(self, peer: Peer, method: str, path: str, seconds: float) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_unix_connection(str(peer.path))
                writer.write(f"{method} {path} HTTP/1.0\r\nHost: peer\r\nContent-Length: 0\r\n\r\n".encode())
                data = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return 0, b""
        head, _, body = data.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        return (int(words[1]), body) if len(words) > 1 else (0, b"")


def peers_in(folder: Path, devices: Iterable[str]) -> Peers:
    """The processes that have their sockets in a folder."""
    return Peers(Peer(device, socket_path(folder, device)) for device in devices)


def socket_path(folder: Path, device: str) -> Path:
    """Where a device's process listens for the others."""
    return folder / f"{hashlib.sha256(device.encode()).hexdigest()[:12]}.sock"


def merge_metrics(texts: Iterable[bytes]) -> bytes:
    """Puts expositions together that differ in a label; nothing is added up."""
    families: dict[str, Metric] = {}
    for text in texts:
        for family in text_string_to_metric_families(text.decode()):
            if family.name in families:
                families[family.name].samples.extend(family.samples)
            else:
                families[family.name] = family
    registry = CollectorRegistry()
    registry.register(_Ready(families.values()))
    return generate_latest(registry)


class _Ready(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families

    def describe(self) -> Iterable[Metric]:
        return ()

"""mosec over the same model: `mosec_peer.py --port PORT`, KIND=stages|workers. Pictures come raw."""

from __future__ import annotations

import os

import numpy as np
from mosec import Server, Worker
from ovmodel import SIDE, Model, prepare


def _answer(output: list[tuple[int, float]]) -> dict:
    return {"predictions": [{"class_id": number, "confidence": share} for number, share in output]}


class Whole(Worker):
    """Decodes and infers, a process a core."""

    def __init__(self) -> None:
        self.model = Model(threads=1)

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> dict:
        return _answer(self.model.run([prepare(data)])[0])


class Decode(Worker):
    """The first stage."""

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> bytes:
        return prepare(data).tobytes()

    def serialize_ipc(self, data: bytes) -> bytes:
        return data


class Infer(Worker):
    """The second stage, in batches on all cores."""

    def __init__(self) -> None:
        self.model = Model((1, 2, 4, 8))

    def deserialize_ipc(self, data: bytes) -> np.ndarray:
        return np.frombuffer(data, np.uint8).reshape(SIDE, SIDE, 3)

    def forward(self, pictures: list[np.ndarray]) -> list[dict]:
        return [_answer(output) for output in self.model.run(pictures)]


if __name__ == "__main__":
    server = Server()
    if os.environ["KIND"] == "workers":
        server.append_worker(Whole, num=2)
    else:
        server.append_worker(Decode, num=2)
        server.append_worker(Infer, num=1, max_batch_size=8, max_wait_time=5)
    server.run()

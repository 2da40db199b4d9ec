"""The interface of an engine, and what it is asked to build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from inferfleet.config.model import PrecisionName
from inferfleet.vision.families.base import Preprocessing
from inferfleet.vision.types import U8


@dataclass(frozen=True, slots=True)
class Plan:
    """A model as an engine is to build it.

    Attributes:
        model: The ONNX file's bytes (external weights included).
        picture_input: The name of the input that takes the picture.
        size: Width and height of that input; None where each batch has its own (of a few, or memory grows).
        outputs: The names of the outputs to return, in order.
        preprocessing: Normalisation and channel order, to be built into the graph.
        constants: Further inputs and the row that each picture gets in them.
        batch_sizes: The batch sizes to build for, ascending.
        precision: What to compute in.
        device: `cpu`, `cuda:0`, `tensorrt:0` and so on.
    """

    model: bytes
    picture_input: str
    size: tuple[int | None, int | None]
    outputs: tuple[str, ...]
    preprocessing: Preprocessing
    constants: Mapping[str, NDArray[Any]]
    batch_sizes: tuple[int, ...]
    precision: PrecisionName
    device: str


class Engine(Protocol):
    """A model made ready on a device.

    Attributes:
        name: `openvino` or `onnxruntime`, with its version.
        device: What it runs on.
        precision: What it computes in: f32, bf16, f16, or `model` where the file decides.
        workers: How many threads should call `run` at once to fill the device.
    """

    name: str
    device: str
    precision: str
    workers: int

    def run(self, batch: U8) -> list[NDArray[Any]]:
        """Runs one batch; safe from any number of threads.

        Args:
            batch: RGB, uint8 [n, height, width, 3] with n one of the planned batch sizes, contiguous.

        Returns:
            The planned outputs in order. They are only good until the same thread calls again.
        """

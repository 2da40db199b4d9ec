"""OpenVINO on a CPU: one infer request a calling thread, as many at once as the device has streams."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inferfleet.errors import InputError
from inferfleet.vision.engines.base import Plan
from inferfleet.vision.types import U8

_CAPABILITY = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}


class OpenVinoEngine:
    """A model compiled by OpenVINO, once for each batch size."""

    def __init__(self, plan: Plan) -> None:
        import openvino

        core = openvino.Core()
        self._tensor = openvino.Tensor
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        self.device = "cpu"
        self.precision = choose_precision(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"), plan.precision)
        self._plan = plan
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": self.precision,
            # Decoding shares these cores; threads tied to a core would wait for it while another is idle.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = {
            size: core.compile_model(_built(core, plan, size), "CPU", settings) for size in plan.batch_sizes
        }
        first = self._compiled[plan.batch_sizes[0]]
        self.workers = int(first.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._local = threading.local()

    def run(self, batch: U8) -> list[NDArray[Any]]:
        """Runs one batch; see `Engine.run`."""
        request = self._request(len(batch))
        # Tensors set by hand: passing the pictures to `infer` costs half a call's overhead in looking at their types.
        request.set_tensor(self._plan.picture_input, self._tensor(batch, shared_memory=True))
        request.infer(share_inputs=True, share_outputs=True)
        return [request.get_tensor(name).data for name in self._plan.outputs]

    def _request(self, size: int) -> Any:
        requests: dict[int, Any] = self._local.__dict__.setdefault("requests", {})
        if size not in requests:
            request = self._compiled[size].create_infer_request()
            for name, row in self._plan.constants.items():
                request.set_tensor(name, self._tensor(np.repeat(row[np.newaxis], size, axis=0)))
            requests[size] = request
        return requests[size]


def choose_precision(capabilities: Sequence[str], asked: str) -> str:
    """Chooses what a CPU computes in: bf16 where it is built in (AMX, AVX512-BF16), else f32.

    Args:
        capabilities: OpenVINO's OPTIMIZATION_CAPABILITIES of the CPU.
        asked: What the user wants; `auto` leaves the choice here.

    Raises:
        InputError: This CPU cannot compute in the precision asked for.
    """
    if asked == "auto":
        return "bf16" if "BF16" in capabilities else "f32"
    if _CAPABILITY[asked] not in capabilities:
        known = ", ".join(name for name, capability in _CAPABILITY.items() if capability in capabilities)
        raise InputError(f"precision {asked}: this CPU has no such instructions; it computes in {known}")
    return asked


def _built(core: Any, plan: Plan, size: int) -> Any:
    """Reads the model at one batch size, with conversion from RGB bytes built into its graph."""
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    model = core.read_model(plan.model)
    wide, high = (side or -1 for side in plan.size)
    shapes = {plan.picture_input: [size, 3, high, wide]}
    shapes.update({name: [size, *row.shape] for name, row in plan.constants.items()})
    model.reshape(shapes)
    builder = PrePostProcessor(model)
    picture = builder.input(plan.picture_input)
    picture.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    picture.model().set_layout(Layout("NCHW"))
    steps = picture.preprocess().convert_element_type(Type.f32)
    look = plan.preprocessing
    if any(look.mean):
        steps.mean(list(look.mean))
    if any(value != 1 for value in look.std):
        steps.scale(list(look.std))
    if look.bgr:
        steps.reverse_channels()
    return builder.build()

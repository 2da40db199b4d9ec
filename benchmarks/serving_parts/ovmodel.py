"""For the peers, in their own environments: the same model on the same engine, and the same picture preparation."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import openvino
import simplejpeg
from openvino import Layout, Type
from openvino.preprocess import PrePostProcessor

MODEL = Path(os.environ.get("MODEL", "resnet50.onnx"))
SIDE, RESIZED = 224, 256
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class Model:
    """ResNet50 in OpenVINO for a few batch sizes."""

    def __init__(self, sizes: tuple[int, ...] = (1,), hint: str = "LATENCY", threads: int = 0) -> None:
        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": hint, "ENABLE_CPU_PINNING": False}
        if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            settings["INFERENCE_PRECISION_HINT"] = "bf16"
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._requests = {
            size: core.compile_model(_built(core, size), "CPU", settings).create_infer_request() for size in sizes
        }
        for size in sizes:
            self.run([np.zeros((SIDE, SIDE, 3), np.uint8)] * size)

    def run(self, pictures: list[np.ndarray]) -> list[list[tuple[int, float]]]:
        """Classifies a batch: the five best classes of each."""
        size = next(size for size in self._requests if size >= len(pictures))
        batch = np.zeros((size, SIDE, SIDE, 3), np.uint8)
        for index, picture in enumerate(pictures):
            batch[index] = picture
        logits = self._requests[size].infer([batch], share_inputs=True)[0][: len(pictures)]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        best = np.argsort(-shares, axis=1)[:, :5]
        return [[(int(number), float(row[number])) for number in top] for row, top in zip(shares, best, strict=True)]


def prepare(data: bytes) -> np.ndarray:
    """Decodes a JPEG and takes the centre, as for ImageNet."""
    rgb = simplejpeg.decode_jpeg(data, "RGB", min_width=RESIZED, min_height=RESIZED, min_factor=2)
    height, width = rgb.shape[:2]
    ratio = RESIZED / min(height, width)
    rgb = cv2.resize(rgb, (round(width * ratio), round(height * ratio)))
    top, left = (rgb.shape[0] - SIDE) // 2, (rgb.shape[1] - SIDE) // 2
    return np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE])


def _built(core: openvino.Core, size: int) -> openvino.Model:
    model = core.read_model(MODEL)
    model.reshape([size, 3, SIDE, SIDE])
    builder = PrePostProcessor(model)
    picture = builder.input()
    picture.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    picture.model().set_layout(Layout("NCHW"))
    picture.preprocess().convert_element_type(Type.f32).mean(MEAN).scale(STD)
    return builder.build()

"""Image classification as tutorials do it: Flask, PIL, eager torch. Served by `gunicorn --workers 2 --threads 4`."""

from __future__ import annotations

import io
import time

import numpy as np
import torch
from flask import Flask, jsonify, request
from PIL import Image
from torch import nn

app = Flask(__name__)


class Block(nn.Module):
    """A bottleneck block."""

    def __init__(self, into: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * 4
        self.inner = nn.Sequential(
            *(nn.Conv2d(into, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)),
            *(nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)),
            *(nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)),
        )
        same = into == out and stride == 1
        self.short = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.inner(x) + self.short(x))


def resnet50() -> nn.Module:
    """ResNet50 with random weights."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(True),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for number in range(blocks):
            layers.append(Block(channels, width, 2 if stage and not number else 1))
            channels = width * 4
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


model = resnet50().eval()
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def preprocess(image: Image.Image) -> torch.Tensor:
    """Resize(256), CenterCrop(224), ToTensor, Normalize."""
    ratio = 256 / min(image.size)
    image = image.resize((round(image.width * ratio), round(image.height * ratio)), Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224))) / 255.0
    return torch.from_numpy(((pixels - MEAN) / STD).transpose(2, 0, 1).astype(np.float32))


@app.route("/predict", methods=["POST"])
def predict():
    """Classifies the form's picture."""
    started = time.time()
    image = Image.open(io.BytesIO(request.files["file"].read())).convert("RGB")
    with torch.no_grad():
        shares = torch.softmax(model(preprocess(image).unsqueeze(0))[0], dim=0)
    best = torch.topk(shares, 5)
    predictions = [
        {"class_id": best.indices[i].item(), "confidence": round(best.values[i].item(), 4)} for i in range(5)
    ]
    return jsonify(
        {"predictions": predictions, "latency_seconds": round(time.time() - started, 3), "model_version": "1.0"}
    )

"""A compact anchor-free detector: a split-and-merge backbone, a top-down and bottom-up neck, one shared head.

Every cell of the three grids (strides 8, 16, 32) gives a score per class and the distances from its middle to the four
sides of a box. About a million weights and one billion operations for a picture of 288 x 512.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
WIDTHS = (16, 32, 56, 104, 160)
NECK = 56
PRIOR = 0.01


class Raw(NamedTuple):
    """What the network gives in training.

    Attributes:
        logits: Class logits [batch, cells, classes].
        boxes: Corners [batch, cells, 4]: left, top, right, bottom in input pixels.
        centres: Cell centres [cells, 2] in input pixels.
    """

    logits: Tensor
    boxes: Tensor
    centres: Tensor


class Unit(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3 x 3 units with a way around."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Unit(width, width), Unit(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Adds what the units make of a map to the map."""
        return x + self.body(x)


class Split(nn.Module):
    """Sends half of the channels through residual units and merges all that came out on the way."""

    def __init__(self, before: int, after: int, depth: int) -> None:
        super().__init__()
        half = after // 2
        self.enter = Unit(before, 2 * half, 1)
        self.steps = nn.ModuleList(Residual(half) for _ in range(depth))
        self.leave = Unit(half * (2 + depth), after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [batch, before, h, w] to [batch, after, h, w]."""
        parts = list(self.enter(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Surround(nn.Module):
    """Adds what lies around: pooled neighbourhoods of three sizes beside the cell itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.enter = Unit(width, half, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = Unit(half * 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps keep their shape."""
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class StreetDetector(nn.Module):
    """The whole network.

    Args:
        classes: How many classes it tells apart.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = WIDTHS
        self.stem = nn.Sequential(Unit(3, w1, 3, 2), Unit(w1, w2, 3, 2))
        self.to8 = nn.Sequential(Unit(w2, w3, 3, 2), Split(w3, w3, 2))
        self.to16 = nn.Sequential(Unit(w3, w4, 3, 2), Split(w4, w4, 2))
        self.to32 = nn.Sequential(Unit(w4, w5, 3, 2), Split(w5, w5, 1), Surround(w5))
        self.side = nn.ModuleList(Unit(width, NECK, 1) for width in (w3, w4, w5))
        self.up = nn.ModuleList(Split(2 * NECK, NECK, 1) for _ in range(2))
        self.shrink = nn.ModuleList(Unit(NECK, NECK, 3, 2) for _ in range(2))
        self.down = nn.ModuleList(Split(2 * NECK, NECK, 1) for _ in range(2))
        self.score = nn.ModuleList(nn.Sequential(Unit(NECK, NECK), nn.Conv2d(NECK, classes, 1)) for _ in STRIDES)
        self.reach = nn.ModuleList(nn.Sequential(Unit(NECK, NECK), nn.Conv2d(NECK, 4, 1)) for _ in STRIDES)
        self.classes = classes
        for score, reach in zip(self.score, self.reach, strict=True):
            nn.init.constant_(score[-1].bias, -float(torch.log(torch.tensor(1 / PRIOR - 1))))
            nn.init.constant_(reach[-1].bias, 2.0)

    def features(self, picture: Tensor) -> list[Tensor]:
        """The neck's maps at strides 8, 16 and 32."""
        c8 = self.to8(self.stem(picture))
        c16 = self.to16(c8)
        c32 = self.to32(c16)
        s8, s16, s32 = (side(x) for side, x in zip(self.side, (c8, c16, c32), strict=True))
        double = nn.functional.interpolate
        p16 = self.up[0](torch.cat([double(s32, scale_factor=2.0, mode="nearest"), s16], 1))
        p8 = self.up[1](torch.cat([double(p16, scale_factor=2.0, mode="nearest"), s8], 1))
        n16 = self.down[0](torch.cat([self.shrink[0](p8), p16], 1))
        n32 = self.down[1](torch.cat([self.shrink[1](n16), s32], 1))
        return [p8, n16, n32]

    def forward(self, picture: Tensor) -> Raw:
        """Runs the network on pictures [batch, 3, height, width], red, green, blue, 0 to 1."""
        logits, boxes, centres = [], [], []
        for x, stride, score, reach in zip(self.features(picture), STRIDES, self.score, self.reach, strict=True):
            rows, columns = x.shape[2], x.shape[3]
            middle = cell_centres(rows, columns, stride, x.device)
            sides = nn.functional.softplus(reach(x).flatten(2).transpose(1, 2).float()) * stride
            boxes.append(torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], -1))
            logits.append(score(x).flatten(2).transpose(1, 2).float())
            centres.append(middle)
        return Raw(torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(centres, 0))


class Deployed(nn.Module):
    """The detector with the output of the YOLOv8 layout: [batch, 4 + classes, cells], centre boxes and scores."""

    def __init__(self, detector: StreetDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> Tensor:
        """Pictures [batch, 3, height, width] to predictions [batch, 4 + classes, cells]."""
        logits, boxes, _ = self.detector(images)
        low, high = boxes[..., :2], boxes[..., 2:]
        return torch.cat([(low + high) / 2, high - low, logits.sigmoid()], -1).transpose(1, 2)


def cell_centres(rows: int, columns: int, stride: int, device: torch.device) -> Tensor:
    """Middles of a grid's cells in input pixels [rows * columns, 2], row by row."""
    y = (torch.arange(rows, device=device, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) * stride
    return torch.stack([x.repeat(rows), y.repeat_interleave(columns)], -1)

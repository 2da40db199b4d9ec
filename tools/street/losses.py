"""Which cells answer for which object, and how wrong their answers are.

Cells are chosen by how well they already do on both tasks (task alignment, after Feng et al., "TOOD", ICCV 2021).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from street.network import Raw

TOP = 10
SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
BOX_WEIGHT = 2.5


class Targets(NamedTuple):
    """Truth of a batch, padded to the most objects of any picture.

    Attributes:
        classes: Class numbers [batch, objects].
        boxes: Corners in input pixels [batch, objects, 4].
        kind: 1 for an object to find, 0 for one to leave alone (hidden or tiny), -1 for padding [batch, objects].
    """

    classes: Tensor
    boxes: Tensor
    kind: Tensor


class Assigned(NamedTuple):
    """What each cell should answer.

    Attributes:
        scores: Wanted class scores [batch, cells, classes].
        boxes: Wanted corners [batch, cells, 4]; meaningful where a score is wanted.
        counted: 0 where a cell lies in an object to leave alone, else 1 [batch, cells].
    """

    scores: Tensor
    boxes: Tensor
    counted: Tensor


def overlaps(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and its generalised form, of corner boxes that broadcast against each other."""
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (one[..., 2:] - one[..., :2]).clamp(min=0).prod(-1)
    union = area + (other[..., 2:] - other[..., :2]).clamp(min=0).prod(-1) - shared
    hull = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).prod(-1)
    iou = shared / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


@torch.no_grad()
def assign(raw: Raw, truth: Targets) -> Assigned:
    """Gives each object its best cells, and each cell at most one object."""
    batch, cells, classes = raw.logits.shape
    inside = _inside(raw.centres, truth.boxes)
    wanted = (truth.kind == 1)[..., None] & inside
    iou, _ = overlaps(truth.boxes[:, :, None], raw.boxes[:, None])
    pick = truth.classes[..., None].expand(-1, -1, cells)
    score = raw.logits.sigmoid().transpose(1, 2).gather(1, pick)
    merit = score.pow(SCORE_POWER) * iou.pow(OVERLAP_POWER) * wanted + 1e-9 * wanted
    best = merit.topk(TOP, -1)
    chosen = torch.zeros_like(merit).scatter_(-1, best.indices, 1.0).bool() & wanted
    rival = torch.where(chosen, iou + 1e-6, torch.zeros_like(iou))
    owner = rival.argmax(1)
    taken = rival.amax(1) > 0
    chosen &= torch.zeros_like(chosen).scatter_(1, owner[:, None], value=True)
    merit = merit * chosen
    quality = merit / merit.amax(-1, keepdim=True).clamp(min=1e-9) * (iou * chosen).amax(-1, keepdim=True)
    strength = quality.gather(1, owner[:, None])[:, 0] * taken
    label = truth.classes.gather(1, owner)
    scores = torch.zeros(batch, cells, classes).scatter_(-1, label[..., None], strength[..., None])
    boxes = truth.boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    spared = ((truth.kind == 0)[..., None] & inside).any(1) & ~taken
    return Assigned(scores, boxes, (~spared).float())


def detection_loss(raw: Raw, truth: Targets) -> tuple[Tensor, Tensor]:
    """The classification loss and the box loss of a batch."""
    goal = assign(raw, truth)
    total = goal.scores.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(raw.logits, goal.scores, reduction="none")
    # Easy background is weighed down so that few objects are not drowned by thousands of empty cells.
    weight = torch.where(goal.scores > 0, 1.0, raw.logits.detach().sigmoid().pow(1.5) * 0.75 + 0.02)
    classification = (entropy * weight * goal.counted[..., None]).sum() / total
    strength = goal.scores.sum(-1)
    answering = strength > 0
    _, generalised = overlaps(raw.boxes[answering], goal.boxes[answering])
    box = ((1.0 - generalised) * strength[answering]).sum() / total
    return classification, box * BOX_WEIGHT


def _inside(centres: Tensor, boxes: Tensor) -> Tensor:
    """Whether each cell's middle lies in each box [batch, objects, cells]."""
    x, y = centres[:, 0], centres[:, 1]
    left, top, right, bottom = (side[..., None] for side in boxes.unbind(-1))
    return (x > left) & (x < right) & (y > top) & (y < bottom)

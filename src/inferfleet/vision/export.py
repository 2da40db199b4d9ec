"""Models of public collections as ONNX files with their class names; needs a network and the extra `export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferfleet.errors import InputError, OutsideError

_OPSET = 17
_SIDE = 224


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        model: The ONNX file.
        labels: The text file of its class names, one a line.
        classes: How many there are.
    """

    model: Path
    labels: Path
    classes: int


def export(source: str, target: Path, weights: str) -> Exported:
    """Writes a torchvision classifier as ONNX, with its class names within it and beside it.

    Args:
        source: `torchvision/NAME`.
        target: The ONNX file to write; the names go beside it, ending in .txt.
        weights: The name of the weights; IMAGENET1K_V1 are those whose preprocessing is the usual one.

    Raises:
        InputError: There is no such model or weights, or the packages are missing.
        OutsideError: The weights cannot be downloaded.
    """
    collection, _, name = source.partition("/")
    if collection != "torchvision" or not name:
        raise InputError(f"{source}: only torchvision's classifiers are known; write torchvision/resnet50")
    try:
        import torch
        from torchvision import models
    except (ImportError, RuntimeError) as error:
        raise InputError(f"{source}: needs torch and torchvision ({error}); install `inferfleet[export]`") from error
    if name not in models.list_models(module=models):
        raise InputError(
            f"{source}: torchvision has no such classifier; it has {', '.join(models.list_models(module=models))}"
        )
    try:
        chosen = models.get_model_weights(name)[weights]
    except KeyError as error:
        known = ", ".join(one.name for one in models.get_model_weights(name))
        raise InputError(f"{source}: has no weights {weights}; it has {known}") from error
    try:
        network = models.get_model(name, weights=chosen).eval()
    except OSError as error:
        raise OutsideError(f"{source}: the weights cannot be downloaded: {error}") from error
    names = [str(one).replace("\n", " ") for one in chosen.meta["categories"]]
    side = int(getattr(chosen.transforms(), "crop_size", [_SIDE])[0])
    return write(torch, network, names, side, target)


def write(torch: Any, network: Any, names: list[str], side: int, target: Path) -> Exported:
    """Writes a torch classifier as ONNX.

    Args:
        torch: The torch module.
        network: The classifier, in evaluation mode.
        names: Its class names.
        side: Width and height of its input.
        target: The file to write.
    """
    import onnx

    target.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, side, side),),
        str(target),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=_OPSET,
        dynamo=False,
    )
    model = onnx.load(str(target))
    onnx.helper.set_model_props(model, {"names": repr(dict(enumerate(names)))})
    onnx.save(model, str(target))
    labels = target.with_suffix(".txt")
    labels.write_text("\n".join(names) + "\n", encoding="utf-8")
    return Exported(target, labels, len(names))

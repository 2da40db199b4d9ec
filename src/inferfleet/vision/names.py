"""The names of a model's classes: given by the user, by the model's metadata, or COCO's."""

from __future__ import annotations

from pathlib import Path

from inferfleet.config.model import ModelConfig
from inferfleet.errors import InputError
from inferfleet.vision.signature import parse_names

# The 80 classes of COCO in the order that most detectors number them (cocodataset.org, instances 2017).
COCO = tuple(
    """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,
bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,
snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,
knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,
dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,
vase,scissors,teddy bear,hair drier,toothbrush""".replace("\n", "").split(",")
)

_COCO_UNUSED = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""The numbers below 91 that COCO's own numbering leaves out."""


def coco_91() -> tuple[str, ...]:
    """COCO's classes under COCO's own numbers, 0 to 90; numbers without a class are called `unused 12` and so on."""
    names = iter(COCO)
    return tuple(f"unused {number}" if number in _COCO_UNUSED else next(names) for number in range(91))


def resolve(config: ModelConfig, classes: int | None, in_file: tuple[str, ...] | None) -> tuple[str, ...]:
    """Finds the name of every class.

    Args:
        config: What the user says.
        classes: How many classes the outputs tell apart; None where they do not say.
        in_file: The names in the model's metadata, if any.

    Raises:
        InputError: The user's names are not as many as the model's classes, or none are known and none can be guessed.
    """
    if config.names is not None:
        names = _given(config.names)
        if classes is not None and len(names) != classes:
            raise InputError(f"model {config.path}: tells {classes} classes apart, but `names` has {len(names)}")
        return names
    if in_file is not None:
        return in_file + tuple(f"class {number}" for number in range(len(in_file), classes or 0))
    if classes == len(COCO):
        return COCO
    if classes == len(_COCO_UNUSED) + len(COCO):
        return coco_91()
    if classes is None:
        raise InputError(
            f"model {config.path}: neither its outputs nor its metadata tell its classes; "
            "give `names`: a list, a text file with a name a line, or `coco`"
        )
    return tuple(f"class {number}" for number in range(classes))


def _given(names: tuple[str, ...] | str) -> tuple[str, ...]:
    if not isinstance(names, str):
        return names
    if names in ("coco", "coco-91"):
        return COCO if names == "coco" else coco_91()
    path = Path(names).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"names {names}: cannot be read: {error}; give a list, `coco`, or a text file") from error
    found = parse_names(text) if text.lstrip().startswith(("[", "{")) else None
    found = found or tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise InputError(f"names {names}: holds no names; write one a line, in the order of the class numbers")
    return found

"""An old PyTorch beside whatever NumPy is newest."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_TORCH = re.compile(r"^torch==(\d+)\.(\d+)", re.MULTILINE)
_PINNED = re.compile(r"^numpy\s*(==\s*1\.|<\s*2|~=\s*1\.|.*<\s*2)", re.MULTILINE)
_FIRST_WITH_NUMPY_2 = (2, 3)


def check(world: Workspace) -> Iterator[Match]:
    """Finds requirements with torch before 2.3 and NumPy not held below 2."""
    for artifact in world.of(kinds.REQUIREMENTS):
        text = artifact.node.text
        matched = _TORCH.search(text)
        if matched and (int(matched[1]), int(matched[2])) < _FIRST_WITH_NUMPY_2 and not _PINNED.search(text):
            place = artifact.node.excerpt.place(matched.start())
            yield Match(
                place, f"{matched[0]}.x was built for NumPy 1; without numpy<2 pip installs 2: Numpy is not available"
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="PyTorch before 2.3 with NumPy 2",
    why="PyTorch up to 2.2 was compiled against NumPy 1 and does not say so in its metadata. With NumPy 2 it imports, "
    "and "
    "every conversion from or to an array fails.",
    fix="Add numpy<2, or take PyTorch 2.3 or newer.",
    source="https://github.com/pytorch/pytorch/issues/132179",
    check=check,
    example=Example(
        file="requirements.txt",
        bad="torch==2.1.0\ntorchvision==0.16.0\n",
        good="torch==2.1.0\ntorchvision==0.16.0\nnumpy<2\n",
    ),
)

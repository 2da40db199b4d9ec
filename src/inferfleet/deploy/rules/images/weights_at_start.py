"""Weights fetched from the internet when the container starts."""

import ast
import re
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_WEIGHTS = re.compile(r"(IMAGENET1K_V\d|COCO_V\d|DEFAULT)$")


def check(world: Workspace) -> Iterator[Match]:
    """Finds model constructors that download."""
    for artifact in world.of(kinds.PYTHON):
        if "pretrained" not in artifact.node.text and "weights" not in artifact.node.text:
            continue
        try:
            tree = ast.parse(artifact.node.text)
        except (SyntaxError, ValueError):
            continue
        path = "MODEL_PATH" if "MODEL_PATH" in artifact.node.text else ""
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            keyword = next((item for item in call.keywords if _downloads(item)), None)
            if keyword is not None:
                also = f", and {path} is not used" if path else ""
                yield Match(
                    artifact.node.excerpt.line_place(keyword.lineno, keyword.col_offset),
                    f"{ast.unparse(keyword)} downloads the weights at every start{also}: no start without a way out to "
                    "the internet",
                )


def _downloads(keyword: ast.keyword) -> bool:
    value = keyword.value
    if keyword.arg == "pretrained":
        return isinstance(value, ast.Constant) and value.value is True
    name = value.value if isinstance(value, ast.Constant) else value.attr if isinstance(value, ast.Attribute) else ""
    return keyword.arg == "weights" and isinstance(name, str) and _WEIGHTS.search(name) is not None


RULE = Rule(
    severity=Severity.WARNING,
    title="Weights are downloaded at start",
    why="Tasks in private subnets cannot reach the model hub, every scale-out waits for it, and what it serves may "
    "change.",
    fix="Put the weights into the image, or into S3 or EFS, and load them from there.",
    source="https://pytorch.org/vision/stable/models.html",
    check=check,
    example=Example(
        file="app.py",
        bad="from torchvision import models\n\nmodel = models.resnet50(pretrained=True)\n",
        good="import torch\nfrom torchvision import models\n\nmodel = models.resnet50()\n"
        'model.load_state_dict(torch.load("/models/resnet50.pth", weights_only=True))\n',
    ),
)

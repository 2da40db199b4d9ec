"""JSON and YAML with places, including what has not been filled in yet: `"cpu": ${CPU}` is read, not refused.

libyaml reads both (JSON is YAML) and marks every value. What YAML would trip over, the braces of `${VAR}` and the tabs
of JSON, is swapped for stand-ins of the same length first.
"""

from __future__ import annotations

import json
import re

import yaml

from inferfleet.config.source import Place
from inferfleet.deploy.lint.excerpt import Excerpt
from inferfleet.deploy.lint.node import Node, Value

_VARIABLE = re.compile(r"\$\{([^{}\n]*)\}")
_BARE_VARIABLE = re.compile(r"(?<=[:\[,\s])\$\{[^{}\n]*\}(?=\s*[,}\]])")
_OPEN, _CLOSE = "\ue000", "\ue001"
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_DECIMAL = re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$")


class SyntaxProblem(Exception):
    """The text is not JSON or YAML.

    Attributes:
        place: Where reading stopped.
        problem: What was met there.
    """

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def check_json(excerpt: Excerpt) -> None:
    """Holds a text to JSON's own rules, which YAML is more generous than: quotes, commas, no comments.

    Raises:
        SyntaxProblem: It is not JSON, even with its variables filled in.
    """
    text = _BARE_VARIABLE.sub(lambda match: "1" * len(match[0]), excerpt.text)
    try:
        json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise SyntaxProblem(excerpt.place(error.pos), error.msg) from error


def read_all(excerpt: Excerpt) -> list[Node]:
    """Reads all documents of a JSON or YAML text.

    Raises:
        SyntaxProblem: It is neither.
    """
    text = _VARIABLE.sub(lambda match: f"${_OPEN}{match[1]}{_CLOSE}", excerpt.text)
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")
    try:
        roots = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SyntaxProblem(excerpt.place(mark.index if mark else 0), str(error.problem or error)) from error
    except yaml.YAMLError as error:
        raise SyntaxProblem(excerpt.place(0), str(error)) from error
    return [_build(root, excerpt, root.start_mark.index) for root in roots if root is not None]


def read(excerpt: Excerpt) -> Node:
    """Reads the first document; see `read_all`."""
    nodes = read_all(excerpt)
    if not nodes:
        raise SyntaxProblem(excerpt.place(0), "it is empty")
    return nodes[0]


def _build(node: yaml.Node, excerpt: Excerpt, offset: int) -> Node:
    value: Value
    if isinstance(node, yaml.MappingNode):
        value = {_text(key): _build(child, excerpt, key.start_mark.index) for key, child in node.value}
    elif isinstance(node, yaml.SequenceNode):
        value = [_build(child, excerpt, child.start_mark.index) for child in node.value]
    else:
        assert isinstance(node, yaml.ScalarNode)
        value = _scalar(node)
    if node.tag.startswith("!") and node.tag != "!":
        return _function(node.tag[1:], Node(value, excerpt, offset))
    return Node(value, excerpt, offset)


def _text(node: yaml.Node) -> str:
    return str(node.value).replace(_OPEN, "{").replace(_CLOSE, "}")


def _scalar(node: yaml.ScalarNode) -> str | bool | int | float | None:
    text = _text(node)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text.lower() in _LITERALS:
        return _LITERALS[text.lower()]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


def _function(name: str, argument: Node) -> Node:
    """Gives a CloudFormation short form (`!Ref x`) the shape of its long form."""
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if name == "GetAtt" and isinstance(argument.value, str):
        argument = argument.with_value([argument.with_value(part) for part in argument.value.split(".", 1)])
    return argument.with_value({key: argument})

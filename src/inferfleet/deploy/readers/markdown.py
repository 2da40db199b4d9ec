"""Reads the code blocks of a Markdown guide, and the prose between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inferfleet.deploy.lint.excerpt import Excerpt, SourceText

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*(?:[-*+][ \t]+|\d+\.[ \t]+)?)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w.+-]*)"
)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$")
_BOLD_LINE = re.compile(r"^\*\*([^*]+)\*\*:?[ \t]*(?:\(.*\))?:?[ \t]*$")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Attributes:
        language: The word after the fence, in lower case.
        code: What is inside, without the indentation of the fence.
        line: The line of the opening fence.
        heading: The heading above it, or the line in bold that acts as one.
        section: The heading above it.
    """

    language: str
    code: Excerpt
    line: int
    heading: str
    section: str


@dataclass(frozen=True)
class Guide:
    """A Markdown file, taken apart.

    Attributes:
        blocks: Its code blocks.
        headings: Line number and text of its headings, and of lines in bold that act as one.
        prose: Line number and text of every other line.
    """

    blocks: list[Block]
    headings: list[tuple[int, str]]
    prose: list[tuple[int, str]]


def read(source: SourceText) -> Guide:
    """Takes a guide apart. A fence that is never closed ends with the file."""
    guide = Guide([], [], [])
    lines = iter(enumerate(source.text.split("\n"), start=1))
    heading = section = ""
    for number, line in lines:
        opening = _FENCE.match(line)
        if opening:
            guide.blocks.append(_block(source, lines, opening, number, (heading, section)))
            continue
        title = _HEADING.match(line) or _BOLD_LINE.match(line)
        if title:
            heading = title[1]
            section = heading if line.startswith("#") else section
            guide.headings.append((number, heading))
        else:
            guide.prose.append((number, line))
    return guide


def _block(
    source: SourceText, lines: Iterator[tuple[int, str]], opening: re.Match[str], first: int, headings: tuple[str, str]
) -> Block:
    fence, indent = opening["fence"], len(opening["indent"])
    text: list[str] = []
    offsets: list[int] = []
    last = first
    for last, line in lines:
        stripped = line.strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            break
        cut = min(indent, len(line) - len(line.lstrip()))
        start = source.line_starts[last - 1] + cut
        text.append(line[cut:])
        offsets.extend(range(start, start + len(line) - cut + 1))
    offsets.append(offsets[-1] + 1 if offsets else source.line_starts[min(last, len(source.line_starts)) - 1])
    content = "\n".join(text) + "\n" if text else ""
    return Block(opening["language"].lower(), Excerpt(source, content, offsets[: len(content) + 1]), first, *headings)

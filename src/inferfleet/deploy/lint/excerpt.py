"""Text that knows where it came from.

A task definition may stand in a heredoc, in a code block, in a guide. Whatever is cut out, unquoted or expanded on the
way keeps, for each of its characters, the offset in the file, so that a finding points at what the user wrote.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from inferfleet.config.source import Place


@dataclass(frozen=True)
class SourceText:
    """A whole file.

    Attributes:
        file: The path as the user gave it.
        text: All of it.
    """

    file: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset at which each line begins."""
        return [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]

    def place(self, offset: int) -> Place:
        """Returns the line and column of an offset, both counted from 1."""
        line = bisect_right(self.line_starts, offset)
        return Place(self.file, line, offset - self.line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """Returns a line without its end; empty when there is none."""
        if not 1 <= number <= len(self.line_starts):
            return ""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : None if end < 0 else end]

    def excerpt(self) -> Excerpt:
        """Returns the whole file as an excerpt of itself."""
        return Excerpt(self, self.text, range(len(self.text) + 1))


@dataclass(frozen=True)
class Excerpt:
    """A part of a file, perhaps unquoted or expanded.

    Attributes:
        source: The file.
        text: The part.
        offsets: For each character of `text`, and for its end, the offset in the file.
    """

    source: SourceText
    text: str
    offsets: Sequence[int] = field(repr=False)

    def place(self, offset: int) -> Place:
        """Returns the file's place of a character of this excerpt."""
        return self.source.place(self.offsets[min(max(offset, 0), len(self.offsets) - 1)] if self.offsets else 0)

    def line_place(self, line: int, column: int = 0) -> Place:
        """Returns the file's place of a line of this excerpt, counted from 1, and a column, counted from 0."""
        start = 0
        for _ in range(line - 1):
            start = self.text.find("\n", start) + 1
        return self.place(start + column)

    def cut(self, start: int, end: int) -> Excerpt:
        """Returns the characters from `start` up to `end`."""
        return Excerpt(self.source, self.text[start:end], self.offsets[start : end + 1])

    @staticmethod
    def join(parts: Sequence[Excerpt], source: SourceText) -> Excerpt:
        """Returns the parts one after another."""
        if len(parts) == 1:
            return parts[0]
        offsets: list[int] = []
        for part in parts:
            offsets.extend(part.offsets[: len(part.text)])
        offsets.append(parts[-1].offsets[-1] if parts and parts[-1].offsets else 0)
        return Excerpt(source, "".join(part.text for part in parts), offsets)

    def saying(self, text: str) -> Excerpt:
        """Returns another text that stands where this one stands, such as a variable's value at its name."""
        start = self.offsets[0] if self.offsets else 0
        return Excerpt(self.source, text, [start] * (len(text) + 1))

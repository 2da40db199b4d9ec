"""Reads Dockerfiles: stages and instructions with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inferfleet.config.source import Place
from inferfleet.deploy.lint.excerpt import Excerpt

_FROM = re.compile(r"(?:--platform=\S+\s+)?(?P<image>\S+)(?:\s+[Aa][Ss]\s+(?P<name>\S+))?")
_HEREDOC = re.compile(r"<<-?\s*['\"]?([A-Za-z_]\w*)['\"]?")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: `RUN`, `COPY` …, in capitals.
        argument: All that follows, continuation lines joined by blanks.
        place: Where it begins.
        stage: The number of its stage, from 0; -1 before the first `FROM`.
    """

    name: str
    argument: str
    place: Place
    stage: int


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile.

    Attributes:
        instructions: All of them in order.
        bases: The image that each stage is made from; a stage's name where it builds on another.
        names: The name of each stage; empty for one that has none.
        place: Where the file begins.
    """

    instructions: tuple[Instruction, ...]
    bases: tuple[str, ...]
    names: tuple[str, ...]
    place: Place

    def stage(self, number: int) -> list[Instruction]:
        """Returns the instructions of a stage, and before them those of the stages it builds on."""
        base = self.bases[number] if self.bases else ""
        below = self.stage(self.names.index(base)) if base in self.names[:number] and base else []
        return below + [item for item in self.instructions if item.stage == number]

    @property
    def final(self) -> list[Instruction]:
        """What makes up the image that runs."""
        return self.stage(len(self.bases) - 1) if self.bases else []

    @property
    def final_base(self) -> str:
        """The image that the last stage is made from in the end."""
        number = len(self.bases) - 1
        while number >= 0 and self.bases[number] in self.names[:number]:
            number = self.names.index(self.bases[number])
        return self.bases[number] if number >= 0 else ""


def read(excerpt: Excerpt) -> Dockerfile:
    """Reads a Dockerfile; what is not an instruction is passed over."""
    instructions: list[Instruction] = []
    bases: list[str] = []
    names: list[str] = []
    for offset, text in _logical_lines(excerpt.text):
        name, _, argument = text.strip().partition(" ")
        name = name.upper()
        if name == "FROM":
            matched = _FROM.match(argument.strip())
            bases.append(matched["image"] if matched else argument.strip())
            names.append((matched["name"] or "") if matched else "")
        if name.isalpha():
            instructions.append(Instruction(name, argument.strip(), excerpt.place(offset), len(bases) - 1))
    return Dockerfile(tuple(instructions), tuple(bases), tuple(names), excerpt.place(0))


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Joins continued lines and heredocs; returns where each begins and what it says."""
    result: list[tuple[int, str]] = []
    parts: list[str] = []
    start, offset, until = 0, 0, ""
    for line in text.split("\n"):
        here, offset = offset, offset + len(line) + 1
        stripped = line.strip()
        if until:
            if stripped == until:
                until = ""
                result.append((start, "\n".join(parts)))
                parts = []
            else:
                parts.append(line)
            continue
        if not stripped or stripped.startswith("#"):
            continue
        if not parts:
            start = here + len(line) - len(line.lstrip())
        heredoc = _HEREDOC.search(stripped)
        if stripped.endswith("\\"):
            parts.append(stripped[:-1].rstrip())
            continue
        parts.append(stripped)
        if heredoc and stripped.split()[0].upper() in ("RUN", "COPY"):
            until = heredoc[1]
            continue
        result.append((start, " ".join(parts)))
        parts = []
    if parts:
        result.append((start, " ".join(parts)))
    return result

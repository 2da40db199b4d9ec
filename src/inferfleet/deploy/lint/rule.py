"""What a rule is: an id, the reason it exists, the correction, a source, and a function that finds matches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inferfleet.config.source import Place
from inferfleet.deploy.lint.finding import Severity
from inferfleet.deploy.lint.workspace import Workspace

__all__ = ["Example", "Match", "Rule", "Severity", "Workspace"]


@dataclass(frozen=True, slots=True)
class Match:
    """A place where a rule found what it looks for.

    Attributes:
        place: Where.
        message: What is wrong there, in one sentence or two, with names and numbers.
    """

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Example:
    """A mistake and its correction, as files. Both are tests: the rule finds the first and is silent on the second.

    Attributes:
        file: The file's name, which also says what kind of file it is.
        bad: The mistake.
        good: The correction.
        beside: Other files that the rule needs to see, by name; the same in both cases.
    """

    file: str
    bad: str
    good: str
    beside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. Its id is its place in the `rules` folder.

    Attributes:
        severity: Error when AWS rejects it, warning when it fails or hurts later, note otherwise.
        title: The mistake in a few words.
        why: What happens, and why.
        fix: What to do instead.
        source: The page where this can be checked.
        check: Yields the matches in what was read.
        example: The mistake and its correction.
        id: Set by the registry.
    """

    severity: Severity
    title: str
    why: str
    fix: str
    source: str
    check: Callable[[Workspace], Iterable[Match]]
    example: Example
    id: str = ""

"""What the readers make of a file: artifacts, and for scripts and guides, what they run in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

from inferfleet.config.source import Place
from inferfleet.deploy.lint.excerpt import Excerpt, SourceText
from inferfleet.deploy.lint.node import Node


@dataclass(frozen=True, eq=False)
class Command:
    """A simple command of a script.

    Attributes:
        words: Its words after quoting and, where the script itself sets them, after variables.
        place: Where it begins.
        order: Its position among all that the script does.
        assigned_to: The variable that takes its output; empty when none does.
        heading: The heading of the guide under which it stands.
        in_function: Whether it is inside a function, which may run at any time.
        output: The file that its output is redirected to; empty when it is not.
        variables: The variables that it uses.
    """

    words: tuple[Excerpt, ...]
    place: Place
    order: int
    assigned_to: str = ""
    heading: str = ""
    in_function: bool = False
    output: str = ""
    variables: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The words as plain text."""
        return [word.text for word in self.words]

    @property
    def name(self) -> str:
        """The program, without its folder and without `sudo`."""
        for text in self.texts:
            if text not in ("sudo", "exec", "time", "command"):
                return text.rsplit("/", 1)[-1]
        return ""

    def starts(self, *words: str) -> bool:
        """Whether the command begins with these words."""
        texts = self.texts
        return tuple(texts[: len(words)]) == words or (tuple(texts[1 : 1 + len(words)]) == words and texts[0] == "sudo")

    def option(self, *names: str) -> Excerpt | None:
        """Returns the value of an option, given as `--name value` or `--name=value`."""
        for index, word in enumerate(self.words):
            if word.text in names and index + 1 < len(self.words):
                return self.words[index + 1]
            for name in names:
                if word.text.startswith(f"{name}="):
                    return word.cut(len(name) + 1, len(word.text))
        return None


@dataclass(frozen=True, eq=False)
class Assignment:
    """A variable being set.

    Attributes:
        name: The variable.
        value: What it is set to, when that is known.
        place: Where.
        order: When.
        command: The command whose output it takes.
    """

    name: str
    value: str | None
    place: Place
    order: int
    command: Command | None = None


@dataclass(frozen=True, eq=False)
class Use:
    """A variable being used.

    Attributes:
        name: The variable.
        place: Where.
        order: When.
        in_function: Whether inside a function.
    """

    name: str
    place: Place
    order: int
    in_function: bool


@dataclass(frozen=True, eq=False)
class WrittenFile:
    """A file that a script writes with a heredoc.

    Attributes:
        name: Its path.
        content: All of it, `cat >>` included.
        raw: The content before variables are filled in.
        quoted: Whether the heredoc's word is quoted, so that `${VAR}` stays as it is.
        place: Where the heredoc begins.
        order: When it is written.
    """

    name: str
    content: Excerpt
    raw: Excerpt
    quoted: bool
    place: Place
    order: int


@dataclass(frozen=True, eq=False)
class Call:
    """A call of the AWS command line.

    Attributes:
        service: As the command line spells it (`ecs`).
        operation: The API's name (`CreateService`); the command line's own word where the API has none (`tail`).
        params: What is passed, in the shape of the API.
        command: The command.
        problems: What botocore's model of the API says against it.
        is_api: Whether the API has the operation.
    """

    service: str
    operation: str
    params: Node
    command: Command
    problems: tuple[tuple[Place, str], ...] = ()
    is_api: bool = True

    @property
    def name(self) -> str:
        """Service and operation, `ecs:CreateService`."""
        return f"{self.service}:{self.operation}"

    @property
    def place(self) -> Place:
        """Where the command begins."""
        return self.command.place

    @property
    def order(self) -> int:
        """The command's position in the script."""
        return self.command.order


@dataclass
class Script:
    """What a shell script does, or all shell blocks of a guide in their order."""

    commands: list[Command] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    files: list[WrittenFile] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def call(self, *names: str) -> list[Call]:
        """Returns the AWS calls with these names (`ecs:CreateService`)."""
        return [call for call in self.calls if call.name in names]

    def assignment(self, name: str) -> Assignment | None:
        """Returns where a variable is first set."""
        return next((item for item in self.assignments if item.name == name), None)


@dataclass(frozen=True, eq=False)
class Artifact:
    """One thing that rules understand.

    Attributes:
        kind: What it is; see `inferfleet.deploy.lint.kinds`.
        node: Its content.
        document: The file it was found in.
        name: The file or resource that it is, when that is known.
        excerpted: Whether it is described in part only (a guide's excerpt), so that what is missing proves nothing.
        call: The command that gives it.
    """

    kind: str
    node: Node
    document: Document
    name: str = ""
    excerpted: bool = False
    call: Call | None = None

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.node.place


@dataclass(eq=False)
class Document:
    """A file, read.

    Attributes:
        source: Its text.
        kind: `markdown`, `shell`, `json`, `yaml`, `dockerfile`, `env`, `python` or `requirements`.
        artifacts: What was found in it.
        script: What it runs.
        headings: Line and text of each heading of a guide.
        prose: Line number and text of each line of a guide outside its code blocks.
        problems: What could not be read.
    """

    source: SourceText
    kind: str
    artifacts: list[Artifact] = field(default_factory=list)
    script: Script = field(default_factory=Script)
    headings: list[tuple[int, str]] = field(default_factory=list)
    prose: list[tuple[int, str]] = field(default_factory=list)
    problems: list[tuple[Place, str]] = field(default_factory=list)

    def heading_at(self, line: int) -> str:
        """Returns the heading that a line stands under."""
        return next((text for number, text in reversed(self.headings) if number <= line), "")

    def heading_above(self, line: int, mark: str) -> str:
        """Returns the headings of one kind (`#`) that a line stands under, joined."""
        above = [text for number, text in self.headings if number <= line and self.source.line(number).startswith(mark)]
        return " / ".join(above[-2:])

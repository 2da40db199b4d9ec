"""Reads shell: parsed by tree-sitter, never run.

Words come out as the shell would pass them, as far as that can be known without running anything: quotes and escapes
are resolved, variables that the script itself sets to a constant are filled in, and the rest stays as `${NAME}` or
`$(command)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from inferfleet.deploy.lint.document import Assignment, Command, Script, Use, WrittenFile
from inferfleet.deploy.lint.excerpt import Excerpt

if TYPE_CHECKING:
    from tree_sitter import Node as Tree
    from tree_sitter import Parser

_QUOTED = re.compile(r"[\"'\\\n{}\[\],:]+")
_ARN_FIELD = re.compile(
    r"(?:awk\s+-F\s*['\"]?:['\"]?\s*'\{\s*print\s+\$(6|NF)\s*\}'|cut\s+-d\s*['\"]?:['\"]?\s+-f\s*6)\s*\)?$"
)
_SPECIAL = frozenset("?!#@*$-_0123456789")
_KNOWN_SETTERS = ("read", "mapfile", "readarray", "getopts", "local", "declare", "typeset", "readonly", "export")
_MAX_DEPTH = 200


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


@dataclass
class _Scope:
    heading: str = ""
    assigned_to: str = ""
    in_function: bool = False
    output: str = ""
    variables: list[str] = field(default_factory=list)


class ShellReader:
    """Reads blocks of shell one after another, as one script."""

    def __init__(self) -> None:
        self.script = Script()
        self.values: dict[str, str | None] = {}
        self.symbols: dict[str, str] = {}
        self._order = 0
        self._scope = _Scope()
        self._excerpt: Excerpt
        self._characters: list[int] | range

    def read(self, excerpt: Excerpt, heading: str = "") -> None:
        """Adds a block."""
        data = excerpt.text.encode()
        self._excerpt = excerpt
        if len(data) == len(excerpt.text):
            self._characters = range(len(data) + 1)
        else:
            self._characters = [index for index, character in enumerate(excerpt.text) for _ in character.encode()] + [
                len(excerpt.text)
            ]
        self._scope = _Scope(heading=heading)
        self._statement(_parser().parse(data).root_node, 0)

    def _cut(self, start: int, end: int) -> Excerpt:
        return self._excerpt.cut(self._characters[start], self._characters[end])

    def _text(self, node: Tree) -> str:
        return self._cut(node.start_byte, node.end_byte).text

    def _next(self) -> int:
        self._order += 1
        return self._order

    def _statement(self, node: Tree, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        match node.type:
            case "command":
                self._command(node)
            case "variable_assignment":
                self._assignment(node)
            case "declaration_command" | "unset_command":
                self._declaration(node)
            case "redirected_statement":
                self._redirected(node, depth)
            case "for_statement":
                variable = node.child_by_field_name("variable")
                if variable is not None:
                    self._set(self._text(variable), None, variable)
                self._children(node, depth)
            case "function_definition":
                before, self._scope.in_function = self._scope.in_function, True
                self._children(node, depth)
                self._scope.in_function = before
            case "comment":
                pass
            case "simple_expansion" | "expansion" | "string" | "concatenation" | "command_substitution":
                self._word(node)
            case _:
                self._children(node, depth)

    def _children(self, node: Tree, depth: int) -> None:
        for child in node.named_children:
            self._statement(child, depth + 1)

    def _command(self, node: Tree) -> None:
        outer = self._scope.variables
        self._scope.variables = []
        words = []
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._assignment(child, lasting=False)
            elif child.type == "command_name":
                words.append(self._word(child.named_children[0] if child.named_children else child))
            elif child.type in ("file_redirect", "herestring_redirect", "heredoc_redirect"):
                continue
            else:
                words.append(self._word(child))
        command = Command(
            words=tuple(words),
            place=self._cut(node.start_byte, node.end_byte).place(0),
            order=self._next(),
            assigned_to=self._scope.assigned_to,
            heading=self._scope.heading,
            in_function=self._scope.in_function,
            output=self._scope.output,
            variables=tuple(dict.fromkeys(self._scope.variables)),
        )
        outer.extend(self._scope.variables)
        self._scope.variables = outer
        if words:
            self.script.commands.append(command)
        if command.name in _KNOWN_SETTERS:
            for word in words[1:]:
                if re.fullmatch(r"[A-Za-z_]\w*", word.text):
                    self._set(word.text, None, node)

    def _assignment(self, node: Tree, *, lasting: bool = True) -> None:
        name_node, value_node = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name_node is None:
            return
        name = self._text(name_node)
        outer, before = self._scope.assigned_to, len(self.script.commands)
        self._scope.assigned_to = name if lasting else ""
        value = self._word(value_node).text if value_node is not None else ""
        self._scope.assigned_to = outer
        command = self.script.commands[-1] if len(self.script.commands) > before else None
        known = "$" not in value
        if lasting:
            self._set(name, value if known else None, node, command)
            if not known:
                self.symbols[name] = value

    def _set(self, name: str, value: str | None, node: Tree, command: Command | None = None) -> None:
        self.values[name] = value
        self.symbols.pop(name, None)
        place = self._cut(node.start_byte, node.end_byte).place(0)
        self.script.assignments.append(Assignment(name, value, place, self._next(), command))

    def _declaration(self, node: Tree) -> None:
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._assignment(child)
            elif child.type == "variable_name" and node.type == "declaration_command":
                name = self._text(child)
                if name not in self.values and self._scope.in_function:
                    self._set(name, None, child)

    def _redirected(self, node: Tree, depth: int) -> None:
        body = node.child_by_field_name("body")
        redirects = [child for child in node.named_children if child.type.endswith("_redirect")]
        for redirect in list(redirects):
            redirects.extend(child for child in redirect.named_children if child.type == "file_redirect")
        target, append = "", False
        for redirect in redirects:
            destination = redirect.child_by_field_name("destination")
            if redirect.type == "file_redirect" and destination is not None and ">" in self._text(redirect)[:3]:
                target, append = self._word(destination).text, self._text(redirect).lstrip("012&").startswith(">>")
        before, self._scope.output = self._scope.output, target or self._scope.output
        if body is not None:
            self._statement(body, depth + 1)
            if body.type == "command" and not target and self._text(body).startswith(("tee ", "sudo tee ")):
                target = self.script.commands[-1].texts[-1]
                append = "-a" in self.script.commands[-1].texts
        self._scope.output = before
        for redirect in redirects:
            if redirect.type == "heredoc_redirect":
                self._heredoc(redirect, target, append)
                # What follows `<<EOF` on its line (`| kubectl apply -f -`) is a statement of its own.
                for child in redirect.named_children:
                    if child.type in ("pipeline", "command", "list"):
                        self._statement(child, depth + 1)

    def _heredoc(self, node: Tree, target: str, append: bool) -> None:
        start = next((child for child in node.named_children if child.type == "heredoc_start"), None)
        body = next((child for child in node.named_children if child.type == "heredoc_body"), None)
        if start is None or body is None:
            return
        quoted = self._text(start)[:1] in ("'", '"', "\\")
        raw = self._cut(body.start_byte, body.end_byte)
        content = raw if quoted else self._expanded(body, body.start_byte, body.end_byte, escapes="$`\\")
        if append:
            for index, file in enumerate(self.script.files):
                if file.name == target:
                    joined = Excerpt.join([file.content, content], raw.source)
                    whole = Excerpt.join([file.raw, raw], raw.source)
                    self.script.files[index] = WrittenFile(target, joined, whole, file.quoted, file.place, file.order)
                    return
        place = self._cut(node.start_byte, node.end_byte).place(0)
        self.script.files.append(WrittenFile(target, content, raw, quoted, place, self._next()))

    def _word(self, node: Tree) -> Excerpt:  # noqa: PLR0911 (a case a kind of word)
        here = self._cut(node.start_byte, node.end_byte)
        match node.type:
            case "word" | "number" | "variable_name" | "test_operator":
                return _unescaped(here, None)
            case "raw_string":
                return here.cut(1, len(here.text) - 1)
            case "ansi_c_string":
                return here.cut(2, len(here.text) - 1)
            case "string" | "translated_string":
                return self._expanded(node, node.start_byte + 1, node.end_byte - 1, escapes='$`"\\\n')
            case "concatenation":
                return Excerpt.join([self._word(child) for child in _parts(node)], here.source)
            case "simple_expansion" | "expansion":
                return self._expansion(node, here)
            case "command_substitution" | "process_substitution":
                return self._substitution(node, here)
            case _:
                return here

    def _expanded(self, node: Tree, start: int, end: int, escapes: str) -> Excerpt:
        """Fills in the expansions of a string or heredoc; the text between them is literal."""
        parts, position = [], start
        for child in node.named_children:
            if child.type in ("simple_expansion", "expansion", "command_substitution"):
                if child.start_byte > position:
                    parts.append(_unescaped(self._cut(position, child.start_byte), escapes))
                parts.append(self._word(child))
                position = child.end_byte
        if end > position or not parts:
            parts.append(_unescaped(self._cut(position, max(position, end)), escapes))
        return Excerpt.join(parts, self._excerpt.source)

    def _expansion(self, node: Tree, here: Excerpt) -> Excerpt:
        matched = re.match(r"\$\{?([A-Za-z_]\w*|.)(:?[-=]([^}]*))?", here.text)
        name = matched[1] if matched else ""
        default = matched[3] if matched else None
        if matched and matched[2] and matched[2].lstrip(":").startswith("=") and name not in self.values:
            self._set(name, None, node)
        if name and name not in _SPECIAL:
            self._scope.variables.append(name)
            if default is None and not here.text.startswith(("${" + name + ":", "${#")):
                self.script.uses.append(Use(name, here.place(0), self._next(), self._scope.in_function))
        value = self.values.get(name)
        if value is not None and re.fullmatch(r"\$\{?" + re.escape(name) + r"\}?", here.text):
            return here.saying(value)
        return here.saying(f"${{{name}}}" if name else here.text)

    def _substitution(self, node: Tree, here: Excerpt) -> Excerpt:
        outer, inner = self._scope.variables, len(self.script.commands)
        before, self._scope.output = self._scope.output, ""
        self._children(node, 1)
        self._scope.output = before
        self._scope.variables = outer
        part = self._arn_part(here.text, self.script.commands[inner:])
        if part:
            return here.saying(part)
        inside = here.text[2:-1] if here.text.startswith("$(") else here.text[1:-1]
        return here.saying(f"$({' '.join(_QUOTED.sub(' ', inside).split())})")

    def _arn_part(self, text: str, commands: list[Command]) -> str:
        """What `awk -F: '{print $6}'` leaves of a load balancer's or target group's ARN: its sixth field."""
        if not _ARN_FIELD.search(text.strip()):
            return ""
        about = text + "".join(
            assigned.command.words[-1].text + " ".join(assigned.command.texts)
            for command in commands
            for name in command.variables
            if (assigned := self.script.assignment(name)) is not None and assigned.command is not None
        )
        if ("TargetGroupArn" in about and "].TargetGroupArn" in text) or (
            "TargetGroupArn" in about and "LoadBalancerArn" not in text
        ):
            return "targetgroup/${name}/${id}"
        if "LoadBalancerArn" in about:
            return "loadbalancer/app/${name}/${id}"
        return ""


def _parts(node: Tree) -> list[Tree]:
    return [child for child in node.children if child.is_named or child.type not in ('"', "'")]


def _unescaped(excerpt: Excerpt, escapes: str | None) -> Excerpt:
    """Removes the backslashes that the shell removes.

    Args:
        excerpt: The text.
        escapes: The characters that a backslash protects; None for all, as outside quotes.
    """
    text = excerpt.text
    if "\\" not in text:
        return excerpt
    characters, offsets, index = [], [], 0
    while index < len(text):
        if text[index] == "\\" and index + 1 < len(text) and (escapes is None or text[index + 1] in escapes):
            index += 1
            if text[index] == "\n":
                index += 1
                continue
        characters.append(text[index])
        offsets.append(excerpt.offsets[index])
        index += 1
    offsets.append(excerpt.offsets[len(text)])
    return Excerpt(excerpt.source, "".join(characters), offsets)

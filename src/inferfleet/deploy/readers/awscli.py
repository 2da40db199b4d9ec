"""Reads calls of the AWS command line into the shape of the API, and checks them against botocore's models."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from inferfleet.config.source import Place
from inferfleet.deploy.lint.document import Call, Command
from inferfleet.deploy.lint.excerpt import Excerpt
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.readers import models, shapes, shorthand, structured

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

Problem = tuple[Place, str]

# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
_GLOBAL_VALUES = frozenset(
    {"--region", "--output", "--query", "--profile", "--endpoint-url", "--color", "--ca-bundle", "--cli-read-timeout",
     "--cli-connect-timeout", "--cli-binary-format", "--cli-error-format", "--max-items", "--page-size",
     "--starting-token", "--cli-input-json", "--cli-input-yaml", "--generate-cli-skeleton"}
)  # fmt: skip
_GLOBAL_FLAGS = frozenset(
    {"--debug", "--no-verify-ssl", "--no-paginate", "--no-sign-request", "--no-cli-pager", "--cli-auto-prompt",
     "--no-cli-auto-prompt", "--v2-debug", "--help", "--version"}
)  # fmt: skip
# A guide's way of leaving a value to its reader: `[...]`, `{...}`.
_ELIDED = re.compile(r"(?<![\w/.])\.\.\.(?![\w/.])|^\.\.\.")
# Commands that the command line adds to the API's. https://docs.aws.amazon.com/cli/latest/reference/
_CUSTOM = {
    "ecr": {"get-login-password"},
    "ecr-public": {"get-login-password"},
    "ecs": {"deploy", "monitor-express-gateway-service"},
    "eks": {"update-kubeconfig", "get-token"},
    "logs": {"tail", "start-live-tail"},
    "cloudformation": {"deploy", "package"},
    "deploy": {"push", "register", "deregister", "install", "uninstall"},
    "ssm": {"start-session"},
    "rds": {"generate-db-auth-token"},
    "cloudtrail": {"validate-logs"},
}
_WITHOUT_API = frozenset({"configure", "s3", "sso", "help", "history", "ddb", "login", "logout", "cli-dev"})
# Options that the command line renames or adds. https://github.com/aws/aws-cli/tree/v2/awscli/customizations
_RENAMED = {
    ("sns", "subscribe", "notification-endpoint"): "Endpoint",
    ("eks", "create-cluster", "kubernetes-version"): "version",
    ("eks", "update-cluster-version", "kubernetes-version"): "version",
    ("eks", "create-nodegroup", "kubernetes-version"): "version",
}
_ADDED = {
    "authorize-security-group-ingress": {"protocol", "port", "cidr", "source-group", "group-owner"},
    "authorize-security-group-egress": {"protocol", "port", "cidr", "source-group", "group-owner"},
    "revoke-security-group-ingress": {"protocol", "port", "cidr", "source-group", "group-owner"},
    "revoke-security-group-egress": {"protocol", "port", "cidr", "source-group", "group-owner"},
    "run-instances": {"count", "secondary-private-ip-addresses", "secondary-private-ip-address-count",
                      "associate-public-ip-address", "no-associate-public-ip-address"},
    "execute-command": {"interactive", "non-interactive"},
    "create-function": {"zip-file", "code"},
    "update-function-code": {"zip-file"},
    "invoke": {"outfile"},
    "put-metric-data": {"metric-name", "timestamp", "unit", "value", "dimensions", "statistic-values",
                        "storage-resolution"},
}  # fmt: skip


def read(command: Command) -> Call | None:  # noqa: PLR0911 (each kind of call ends on its own line)
    """Reads a call of `aws`; None when the command is another."""
    words = [word for word in command.words if word.text not in ("sudo", "exec", "command")]
    if not words or words[0].text.rsplit("/", 1)[-1] != "aws":
        return None
    plain = _without_globals(words[1:])
    if len(plain) < 1 or not plain[0].text or plain[0].text.startswith("-"):
        return None
    service = plain[0].text
    action = plain[1] if len(plain) > 1 and not plain[1].text.startswith("--") else plain[0]
    empty = Node({}, words[0], 0)
    if service in _WITHOUT_API or action.text in _CUSTOM.get(service, ()) or action.text == "wait":
        return Call(service, action.text, empty, command, (), is_api=False)
    if models.data_folder() is None or "$" in service or "$" in action.text:
        return Call(service, action.text, empty, command, (), is_api=False)
    if models.service(service) is None:
        problem = (plain[0].place(0), f"the AWS command line has no service `{service}`")
        return Call(service, action.text, empty, command, (problem,), is_api=False)
    operation = models.operation(service, action.text)
    if operation is None:
        close = difflib.get_close_matches(action.text, models.operation_names(service), n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        problem = (action.place(0), f"`aws {service}` has no command `{action.text}`{hint}")
        return Call(service, action.text, empty, command, (problem,), is_api=False)
    return _Parser(service, action.text, operation, command).call(plain[2:])


def _without_globals(words: list[Excerpt]) -> list[Excerpt]:
    """Drops the options that every command has; they may stand anywhere."""
    result: list[Excerpt] = []
    skip = False
    for word in words:
        name = word.text.partition("=")[0]
        if skip:
            skip = False
        elif name in _GLOBAL_VALUES and name not in ("--cli-input-json", "--cli-input-yaml"):
            skip = "=" not in word.text
        elif word.text not in _GLOBAL_FLAGS:
            result.append(word)
    return result


class _Parser:
    def __init__(self, service: str, action: str, operation: OperationModel, command: Command) -> None:
        self.service = service
        self.action = action
        self.operation = operation
        self.command = command
        self.problems: list[Problem] = []

    def call(self, words: list[Excerpt]) -> Call:
        groups = self._grouped(words)
        input_shape = self.operation.input_shape
        members: dict[str, Shape] = dict(input_shape.members) if input_shape is not None else {}
        names = self._option_names(members)
        params: dict[str, Node] = {}
        skeleton = False
        for option, values in groups:
            name = option.text.removeprefix("--").partition("=")[0]
            if name in ("cli-input-json", "cli-input-yaml"):
                skeleton = True
            elif name in _ADDED.get(self.action, ()):
                params[name] = self._added(option, values)
            elif name in names:
                member, positive = names[name]
                params[member] = self._param(member, members[member], option, values, positive)
            else:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean `--{close[0]}`?" if close else ""
                self.problems.append((option.place(0), f"`aws {self.service} {self.action}` has no `--{name}`{hint}"))
        node = Node(params, self.command.words[0], 0)
        if input_shape is not None:
            known = Node({key: value for key, value in params.items() if key in members}, self.command.words[0], 0)
            self.problems += shapes.check(
                known, input_shape, complete=not skeleton and not self._left_open(words, params)
            )
        return Call(self.service, self.operation.name, node, self.command, tuple(dict.fromkeys(self.problems)))

    def _left_open(self, words: list[Excerpt], params: dict[str, Node]) -> bool:
        """Whether a missing option proves nothing: some come from a variable, are elided, or stand for another."""
        if _ADDED.get(self.action, set()) & params.keys():
            return True
        return any(word.text == "..." for word in words) or (words[:1] != [] and words[0].text.startswith(("${", "$(")))

    def _grouped(self, words: list[Excerpt]) -> list[tuple[Excerpt, list[Excerpt]]]:
        groups: list[tuple[Excerpt, list[Excerpt]]] = []
        for word in words:
            if word.text.startswith("--") and len(word.text) > 2:  # noqa: PLR2004 (two dashes)
                name, equals, _ = word.text.partition("=")
                groups.append((word, [word.cut(len(name) + 1, len(word.text))] if equals else []))
            elif groups:
                groups[-1][1].append(word)
        return groups

    def _option_names(self, members: dict[str, Shape]) -> dict[str, tuple[str, bool]]:
        from botocore import xform_name

        names: dict[str, tuple[str, bool]] = {}
        for member, shape in members.items():
            names[xform_name(member, "-")] = (member, True)
            if shape.type_name == "boolean":
                names[f"no-{xform_name(member, '-')}"] = (member, False)
        for (service, action, option), member in _RENAMED.items():
            if (service, action) == (self.service, self.action):
                names[option] = (member, True)
        return names

    @staticmethod
    def _added(option: Excerpt, values: list[Excerpt]) -> Node:
        return Node(values[0].text if values else True, values[0] if values else option, 0)

    def _param(self, member: str, shape: Shape, option: Excerpt, values: list[Excerpt], positive: bool) -> Node:
        if not values:
            if shape.type_name != "boolean":
                self.problems.append((option.place(0), f"`{option.text}` needs a value"))
                return Node(None, option, 0)
            return Node(positive, option, 0)
        first = values[0]
        text = first.text.strip()
        if text.startswith(("file://", "fileb://")) or _ELIDED.search(text):
            return Node(f"${{{text}}}", first, 0)
        try:
            node = self._value(shape, first, values)
        except structured.SyntaxProblem as error:
            self.problems.append((error.place, f"`{option.text}`: not valid JSON: {error.problem}"))
            node = Node(None, first, 0)
        except shorthand.ShorthandProblem as error:
            self.problems.append((error.place, f"`{option.text}`: {error}"))
            node = Node(None, first, 0)
        return node

    def _value(self, shape: Shape, first: Excerpt, values: list[Excerpt]) -> Node:  # noqa: PLR0911 (a case a shape)
        text = first.text.strip()
        match shape.type_name:
            case "structure" | "map":
                if text.startswith("{"):
                    return structured.read(first)
                if _is_open(text):
                    return Node(text, first, 0)
                return self._fitted(shorthand.read(first), shape)
            case "list":
                if text.startswith("["):
                    return structured.read(first)
                return self._list(shape, first, values)
            case "integer" | "long":
                return Node(int(text) if text.lstrip("-").isdigit() else text, first, 0)
            case "float" | "double":
                return Node(_as_float(text), first, 0)
            case "boolean":
                return Node({"true": True, "false": False}.get(text.lower(), text), first, 0)
            case _:
                return Node(first.text, first, 0)

    def _list(self, shape: Shape, first: Excerpt, values: list[Excerpt]) -> Node:
        member: Shape = shape.member  # type: ignore[attr-defined]
        items: list[Node] = []
        for value in values:
            text = value.text.strip()
            if text.startswith("{"):
                items.append(structured.read(value))
            elif _is_open(text):
                items.append(Node(text, value, 0))
            elif member.type_name == "structure":
                items.append(self._fitted(shorthand.read(value), member))
            else:
                items += [self._fitted(item, member) for item in shorthand.read_list(value)]
        return Node(list(items), first, 0)

    def _fitted(self, node: Node, shape: Shape) -> Node:  # noqa: PLR0911 (a case a shape)
        """Gives shorthand's text the types of the model: numbers, booleans, lists of one."""
        match shape.type_name:
            case "structure" if node.is_mapping:
                members = shape.members  # type: ignore[attr-defined]
                return node.with_value(
                    {key: self._fitted(child, members[key]) if key in members else child for key, child in node.items()}
                )
            case "map" if node.is_mapping:
                inner = shape.value  # type: ignore[attr-defined]
                return node.with_value({key: self._fitted(child, inner) for key, child in node.items()})
            case "list":
                member = shape.member  # type: ignore[attr-defined]
                if isinstance(node.value, str) and _is_open(node.value):
                    return node
                return node.with_value([self._fitted(child, member) for child in node])
            case "integer" | "long":
                return node.with_value(int(node.text)) if node.text.lstrip("-").isdigit() else node
            case "float" | "double":
                return node.with_value(_as_float(node.text))
            case "boolean":
                return node.with_value({"true": True, "false": False}.get(node.text.lower(), node.text))
            case _:
                return node


def _is_open(text: str) -> bool:
    return text.startswith(("${", "$(")) and text.endswith(("}", ")")) and "=" not in text.rsplit("}", maxsplit=1)[-1]


def _as_float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

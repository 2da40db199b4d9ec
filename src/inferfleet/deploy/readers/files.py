"""Finds the files worth reading and reads each by what it is: its name first, then its content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact, Document, WrittenFile
from inferfleet.deploy.lint.excerpt import Excerpt, SourceText
from inferfleet.deploy.lint.node import Node
from inferfleet.deploy.readers import awscli, cloudformation, markdown, outline, recognise, structured
from inferfleet.deploy.readers.shell import ShellReader
from inferfleet.errors import InputError

_SKIPPED = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", "asset"})
_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".sh", ".bash", ".md", ".markdown", ".template", ".py", ".txt"})
_SHELL_LANGUAGES = frozenset({"bash", "sh", "shell", "zsh", "console"})
_TEMPLATED = re.compile(r"(?<!\$)\{\{")
_MAX_BYTES = 4 * 1024 * 1024
_CFN_NOISE = ("manifest.json", "tree.json", "cdk.json", "package.json", "package-lock.json", "tsconfig.json")


def find(paths: Sequence[Path]) -> list[Path]:
    """Lists the files to read, in a stable order.

    Raises:
        InputError: A path does not exist.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(_walk(path))))
        elif path.exists():
            found[path] = None
        else:
            raise InputError(f"{path}: no such file or directory")
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name not in _SKIPPED and not entry.name.startswith("asset."):
                yield from _walk(entry)
        elif _is_wanted(entry):
            yield entry


def _is_wanted(path: Path) -> bool:
    if path.name in _CFN_NOISE or path.name.endswith(".assets.json"):
        return False
    return path.suffix.lower() in _SUFFIXES or _is_dockerfile(path.name) or _is_env(path.name)


def _is_dockerfile(name: str) -> bool:
    return name in ("Dockerfile", "Containerfile") or name.startswith("Dockerfile.") or name.endswith(".Dockerfile")


def _is_env(name: str) -> bool:
    return name == ".env" or name.startswith(".env.") or name.endswith(".env")


def read_path(path: Path) -> Document | None:
    """Reads a file; None when there is nothing in it for rules.

    Raises:
        InputError: It cannot be read.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return read_text(str(path), text.replace("\r\n", "\n"))


def read_text(file: str, text: str) -> Document | None:
    """Reads a text under a name; see `read_path`."""
    source = SourceText(file, text)
    name = PurePosixPath(file).name
    kind = _kind(name, text)
    if not kind:
        return None
    document = Document(source, kind)
    if kind == "markdown":
        _read_guide(document)
    elif kind == "shell":
        _read_script(document)
    else:
        _read_content(document, source.excerpt(), name, kind)
    return document


def _kind(name: str, text: str) -> str:  # noqa: PLR0911 (a line a kind)
    suffix = PurePosixPath(name).suffix.lower()
    if _is_dockerfile(name):
        return "dockerfile"
    if _is_env(name):
        return "env"
    if re.match(r"requirements.*\.txt$", name):
        return "requirements"
    by_suffix = {".json": "json", ".template": "json", ".yaml": "yaml", ".yml": "yaml", ".sh": "shell",
                 ".bash": "shell", ".md": "markdown", ".markdown": "markdown", ".py": "python"}  # fmt: skip
    if suffix in by_suffix:
        return by_suffix[suffix]
    if text.startswith("#!") and "sh" in text.split("\n", 1)[0]:
        return "shell"
    if suffix == ".txt" and re.search(r"^```", text, re.MULTILINE) and re.search(r"^#{1,3} ", text, re.MULTILINE):
        return "markdown"
    return ""


def _read_guide(document: Document) -> None:
    guide = markdown.read(document.source)
    document.headings, document.prose = guide.headings, guide.prose
    shell = ShellReader()
    for block in guide.blocks:
        if block.language in _SHELL_LANGUAGES:
            shell.read(block.code, block.heading)
        elif block.language in ("json", "yaml", "yml"):
            name = outline.file_in(block.heading) or outline.file_in(block.section)
            _read_content(document, block.code, name, block.language, lenient=True)
        elif block.language in ("dockerfile", "docker"):
            _read_content(document, block.code, "Dockerfile", "dockerfile")
        elif block.language in ("python", "py"):
            _read_content(document, block.code, "", "python")
    document.script = shell.script
    _read_effects(document)
    document.artifacts += outline.artifacts(document)


def _read_script(document: Document) -> None:
    shell = ShellReader()
    shell.read(document.source.excerpt())
    document.script = shell.script
    _read_effects(document)


def _read_effects(document: Document) -> None:
    """Adds what a script makes: the files it writes, and what its AWS calls create."""
    script = document.script
    for file in script.files:
        _read_written(document, file)
    for command in script.commands:
        call = awscli.read(command)
        if call is None:
            continue
        script.calls.append(call)
        if call.name in kinds.API_KINDS:
            document.artifacts.append(Artifact(call.name, call.params, document, call=call))
        for member, kind in _EMBEDDED.get(call.name, ()):
            _read_embedded(document, call.params[member], kind, _owner(call.params))


_EMBEDDED = {
    "iam:PutRolePolicy": (("PolicyDocument", kinds.POLICY),),
    "iam:CreatePolicy": (("PolicyDocument", kinds.POLICY),),
    "iam:CreateRole": (("AssumeRolePolicyDocument", kinds.TRUST_POLICY),),
    "cloudwatch:PutDashboard": (("DashboardBody", kinds.DASHBOARD),),
    "ecr:PutLifecyclePolicy": (("lifecyclePolicyText", kinds.LIFECYCLE_POLICY),),
    "ec2:CreateLaunchTemplate": (("LaunchTemplateData", kinds.LAUNCH_TEMPLATE_DATA),),
}


def _owner(params: Node) -> str:
    return params["RoleName"].text or params["PolicyName"].text or params["LaunchTemplateName"].text


def _read_embedded(document: Document, node: Node, kind: str, name: str) -> None:
    if isinstance(node.value, str) and node.text.lstrip().startswith("{"):
        try:
            node = structured.read(node.excerpt)
        except structured.SyntaxProblem as error:
            document.problems.append((error.place, f"not valid JSON: {error.problem}"))
            return
    if node.is_mapping:
        document.artifacts.append(Artifact(kind, node, document, name=name))


def _read_written(document: Document, file: WrittenFile) -> None:
    name = PurePosixPath(file.name).name
    kind = _kind(name, file.content.text)
    if kind in ("json", "yaml", "dockerfile", "env", "python", "requirements"):
        _read_content(document, file.content, name, kind)
    elif kind == "shell" or file.content.text.startswith("#!"):
        document.artifacts.append(Artifact(kinds.USER_DATA, _text_node(file.content), document, name=file.name))


def _text_node(excerpt: Excerpt) -> Node:
    return Node(excerpt.text, excerpt, 0)


_TEXT_KINDS = {"dockerfile": kinds.DOCKERFILE, "env": kinds.ENVIRONMENT, "python": kinds.PYTHON,
               "requirements": kinds.REQUIREMENTS}  # fmt: skip


def _read_content(document: Document, excerpt: Excerpt, name: str, kind: str, *, lenient: bool = False) -> None:
    if kind in _TEXT_KINDS:
        document.artifacts.append(Artifact(_TEXT_KINDS[kind], _text_node(excerpt), document, name=name))
        return
    try:
        if kind == "json" and not lenient:
            structured.check_json(excerpt)
        nodes = structured.read_all(excerpt)
    except structured.SyntaxProblem as error:
        # A guide's block may be cut short on purpose, and a Helm chart is not YAML yet.
        if not lenient and not _TEMPLATED.search(excerpt.text) and document.kind != "markdown":
            document.problems.append((error.place, f"not valid {kind.upper()}: {error.problem}"))
        return
    for node in nodes:
        found = recognise.kind_of(node, name)
        if found == kinds.TEMPLATE:
            document.artifacts.extend(cloudformation.artifacts(node, document))
        elif found:
            document.artifacts.append(Artifact(found, node, document, name=name))

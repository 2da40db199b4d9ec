"""Reads files, asks every rule and every other checker, and sorts what they say into one list."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inferfleet.deploy.lint import kinds, registry, suppress
from inferfleet.deploy.lint.document import Document
from inferfleet.deploy.lint.finding import Finding, Severity
from inferfleet.deploy.lint.workspace import Workspace
from inferfleet.deploy.readers import files


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        findings: What counts, by file and line.
        suppressed: What the user has accepted, each with its reason.
        files: How many files were read.
    """

    findings: tuple[Finding, ...]
    suppressed: tuple[Finding, ...] = ()
    files: int = 0

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether there is an error among the findings."""
        return self.count(Severity.ERROR) > 0


@dataclass(frozen=True)
class Options:
    """What a run looks for.

    Attributes:
        select: Rules or groups to keep; all when empty.
        ignore: Rules or groups to leave out.
        today: The day on which the question is asked.
        external: Whether other checkers are asked too.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    today: datetime.date = field(default_factory=datetime.date.today)
    external: bool = True


def lint_paths(paths: Sequence[Path], options: Options | None = None) -> Report:
    """Checks files and folders.

    Raises:
        InputError: A path does not exist, or a selected rule does not.
    """
    documents = [document for path in files.find(paths) if (document := files.read_path(path)) is not None]
    return lint_documents(documents, options)


def lint_texts(texts: dict[str, str], options: Options | None = None) -> Report:
    """Checks texts by their file names."""
    documents = [document for file, text in texts.items() if (document := files.read_text(file, text)) is not None]
    return lint_documents(documents, options)


def lint_documents(documents: Iterable[Document], options: Options | None = None) -> Report:
    """Checks files that are already read."""
    options = options or Options()
    workspace = Workspace(tuple(documents), options.today)
    rules = registry.chosen(options.select, options.ignore)
    findings = [
        Finding("syntax/unreadable", Severity.ERROR, place, problem)
        for document in workspace.documents
        for place, problem in document.problems
    ]
    for rule in rules:
        for match in rule.check(workspace):
            findings.append(Finding(rule.id, rule.severity, match.place, match.message, source=rule.source))
    findings += _in_what_fleets_stand_for(workspace, options)
    if options.external:
        from inferfleet.deploy import checkers

        findings += list(checkers.check(workspace, findings))
    asked = [finding for finding in findings if registry.wanted(finding.rule, options.select, options.ignore)]
    return _report(workspace, asked)


def _in_what_fleets_stand_for(workspace: Workspace, options: Options) -> list[Finding]:
    """Checks the files that each fleet.yaml would be rendered to, and tells what is found at the fleet's service."""
    if not workspace.of(kinds.FLEET):
        return []
    from inferfleet.deploy.lint import fleets

    found = []
    for fleet in fleets.loaded(workspace):
        files_of_fleet = fleets.as_files(fleet)
        keys = list(fleet.fleet.services)
        for finding in lint_texts(files_of_fleet, replace(options, external=False)).findings:
            folder = finding.place.file.split("/")[0]
            key = folder if folder in keys else keys[0]
            message = f"as {Path(finding.place.file).name}: {finding.message}"
            found.append(replace(finding, place=fleet.place(("services", key)), message=message))
    return found


def _report(workspace: Workspace, findings: list[Finding]) -> Report:
    sources = {document.source.file: document.source for document in workspace.documents}
    directives = [item for document in workspace.documents for item in suppress.read(document)]
    by_file = _unique(findings)
    kept, hidden = _suppressed(by_file, directives)

    def finished(found: list[Finding]) -> tuple[Finding, ...]:
        with_lines = (
            replace(f, line=sources[f.place.file].line(f.place.line)) if f.place.file in sources else f for f in found
        )
        return tuple(sorted(with_lines, key=lambda f: (f.place.file, f.place.line, f.place.column, f.rule)))

    return Report(finished(kept), finished(hidden), len(workspace.documents))


def _unique(findings: list[Finding]) -> list[Finding]:
    """Keeps one finding of a rule at a place."""
    return list({(f.rule, f.place, f.message): f for f in findings}.values())


def _suppressed(findings: list[Finding], directives: list[suppress.Suppression]) -> tuple[list[Finding], list[Finding]]:
    kept: list[Finding] = []
    hidden: list[Finding] = []
    for name in sorted({f.place.file for f in findings} | {d.file for d in directives}):
        mine = [directive for directive in directives if directive.file == name]
        here, gone = suppress.apply([f for f in findings if f.place.file == name], mine)
        kept += here
        hidden += gone
    return kept, hidden

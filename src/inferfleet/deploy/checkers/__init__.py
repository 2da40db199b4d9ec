"""Other people's checkers, whose findings join ours in one stream.

Each knows one kind of file better than we do: cfn-lint CloudFormation, parliament IAM, kubernetes-validate the schemas
of Kubernetes. They are asked when they are installed (`inferfleet[lint]`) and when there is such a file: importing
them takes a second or more. They see whole files only: a heredoc or a block of a guide is left to our own rules.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from inferfleet.deploy.lint import kinds

if TYPE_CHECKING:
    from inferfleet.deploy.lint.finding import Finding
    from inferfleet.deploy.lint.workspace import Workspace

_CHECKERS = (
    (kinds.TEMPLATE, "cfnlint", "cloudformation"),
    (kinds.POLICY, "parliament", "iam"),
    (kinds.MANIFEST, "kubernetes_validate", "kubernetes"),
)


def check(workspace: Workspace, ours: Iterable[Finding]) -> Iterator[Finding]:
    """Asks each checker that is installed about the files that it knows.

    Args:
        workspace: All that was read.
        ours: What our rules found; another checker's word on the same line would only repeat it.
    """
    said = {(finding.place.file, finding.place.line) for finding in ours}
    for kind, library, module in _CHECKERS:
        whole = [item for item in workspace.of(kind) if item.document.kind in ("json", "yaml")]
        if whole and importlib.util.find_spec(library) is not None:
            checker = importlib.import_module(f"{__name__}.{module}")
            for finding in checker.check(whole):
                if (finding.place.file, finding.place.line) not in said:
                    yield finding

"""The CDK's command line, as its users run it: bootstrap an account, deploy the stacks of an assembly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferfleet.deploy.operations import tools
from inferfleet.deploy.operations.account import Account
from inferfleet.errors import InputError

_FIELDS = 5


@dataclass(frozen=True, slots=True)
class StackEvent:
    """A line of CloudFormation's progress.

    Attributes:
        stack: The stack.
        done: Resources done, as `3/12`.
        status: CloudFormation's word.
        type: Type of the resource.
        resource: Its id.
    """

    stack: str
    done: str
    status: str
    type: str
    resource: str

    @property
    def is_decided(self) -> bool:
        """Whether it tells how the whole stack ended."""
        whole = self.type == "AWS::CloudFormation::Stack"
        return whole and self.status.endswith(("_COMPLETE", "_FAILED")) and "CLEANUP" not in self.status


def bootstrap(account: Account, assembly: Path, on_line: Callable[[str], None]) -> None:
    """Makes the bucket and the roles that the CDK deploys with; does nothing where they are.

    It runs beside the assembly, as the CDK would read a cdk.json of the user's folder.

    Raises:
        OutsideError: It fails.
    """
    environment = f"aws://{account.id}/{account.region}"
    command = [_cdk(), "bootstrap", environment, "--ci"]
    tools.run(command, on_line, environment=_environment(account), folder=assembly.parent)


def deploy(account: Account, assembly: Path, stacks: Sequence[str], on_line: Callable[[str], None]) -> None:
    """Deploys stacks of an assembly, and nothing that they need: the caller names them all.

    Raises:
        OutsideError: A stack fails.
    """
    command = [_cdk(), "deploy", *stacks, "--app", str(assembly), "--exclusively", "--require-approval", "never"]
    command += ["--progress", "events", "--ci", "--concurrency", "4", "--output", str(assembly), "--no-notices"]
    tools.run(command, on_line, environment=_environment(account), folder=assembly.parent)


def parse(line: str) -> StackEvent | None:
    """Reads a line of progress; None for any other line."""
    fields = [field.strip() for field in line.split("|")]
    if len(fields) < _FIELDS or "_" not in fields[3]:
        return None
    stack, done, _, status, kind = fields[:_FIELDS]
    return StackEvent(stack, done, status, kind, fields[_FIELDS] if len(fields) > _FIELDS else "")


def _cdk() -> str:
    found = tools.find_cdk()
    if found is None:
        raise InputError(f"the CDK's command line is not on PATH; {tools.INSTALL_CDK}")
    return found


def _environment(account: Account) -> dict[str, str]:
    quiet = {**tools.SILENCE, "AWS_REGION": account.region}
    # Nobody is there to take reports from a machine that plays AWS by itself.
    return quiet | ({"CDK_DISABLE_CLI_TELEMETRY": "true"} if account.is_local else {})

"""What the commands that operate a fleet share: which fleet, where it runs, and how their progress is shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.errors import InputError

if TYPE_CHECKING:
    from rich.status import Status

    from inferfleet.deploy.operations.account import Account
    from inferfleet.deploy.operations.follow import Progress
    from inferfleet.deploy.operations.localise import Substitution
    from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

FASTER = {"INFERFLEET_LOCAL_PACE": "60", "INFERFLEET_AUTOSCALING_MINUTE_S": "5"}
"""In a local cloud that `deploy --local` starts, minutes of baking pass as seconds, those of autoscaling as five."""

FleetFile = Annotated[Path, typer.Option("--fleet", "-f", help="The fleet.yaml.")]
FleetArgument = Annotated[Path, typer.Argument(help="The fleet.yaml.")]
Local = Annotated[bool, typer.Option("--local", help="On the local cloud of this machine instead of AWS.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Timeout = Annotated[float, typer.Option(help="Minutes to follow a deployment before leaving it to itself.", min=0.1)]
DEFAULT_FLEET = Path("fleet.yaml")


@dataclass(frozen=True)
class Target:
    """A fleet and where it runs.

    Attributes:
        fleet: The fleet, as it runs there.
        path: Its fleet.yaml.
        account: The account.
        substitutions: What the local cloud plays otherwise.
    """

    fleet: ResolvedFleet
    path: Path
    account: Account
    substitutions: tuple[Substitution, ...]

    def service(self, key: str) -> ResolvedService:
        """A service by its key, or by its name on ECS; the only one for an empty key.

        Raises:
            InputError: There is none, or there are several.
        """
        services = self.fleet.services
        known = ", ".join(service.key for service in services) or "none"
        if not key:
            if len(services) == 1:
                return services[0]
            raise InputError(f"{self.path} has {len(services)} services; name one of: {known}")
        found = next((item for item in services if key in (item.key, item.names.service)), None)
        if found is None:
            raise InputError(f"{self.path} has no service {key!r}; it has: {known}")
        return found

    def on_ecs(self, key: str, kubectl: str) -> ResolvedService:
        """A service that ECS runs.

        Args:
            key: As for `service`.
            kubectl: The command that does the same for one on EKS, with `{}` for its name.

        Raises:
            InputError: There is none, or EKS runs it.
        """
        found = self.service(key)
        if found.target == "eks":
            command = kubectl.format(found.key)
            raise InputError(
                f"service {found.key} runs on EKS, where `kubectl {command}` does this; `aws eks update-kubeconfig "
                f"--name {self.fleet.cluster} --region {self.account.region}` gives kubectl access"
            )
        return found


@contextmanager
def target(path: Path, *, local: bool, start: bool = False) -> Iterator[Target]:
    """Opens a fleet where it runs; what boto3 raises inside becomes an error that says what to do.

    Args:
        path: The fleet.yaml.
        local: On the local cloud.
        start: Whether the local cloud is started if none runs.

    Raises:
        InputError: The fleet is wrong, or no local cloud runs.
        OutsideError: AWS cannot be reached or refuses.
    """
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy.operations.account import Account, told
    from inferfleet.deploy.operations.localise import localise
    from inferfleet.deploy.resolve import resolve

    file = read_fleet(path)
    substitutions: tuple[Substitution, ...] = ()
    if local:
        os.environ.update(_local_environment(start=start))
        file, substitutions = localise(file, os.environ["AWS_ACCOUNT_ID"], os.environ["AWS_REGION"])
    with told(file.region):
        account = Account(file.region)
        if file.account is None:
            file = file.model_copy(update={"account": account.id})
        yield Target(resolve(file), path, account, substitutions)


def _local_environment(*, start: bool) -> dict[str, str]:
    from inferfleet.localcloud import cloud

    running = cloud.find(cloud.folder())
    if running is None and start:
        for name, value in FASTER.items():
            os.environ.setdefault(name, value)
        running = cloud.start(cloud.folder())
    if running is None:
        raise InputError("the local cloud does not run; `inferfleet deploy --local` or `inferfleet local up` starts it")
    if "aws" not in running.services:
        raise InputError(
            "the local cloud runs with Kinesis Video Streams only; `inferfleet local down`, then try again"
        )
    return running.environment()


def print_json(value: Any) -> None:
    """Prints data for a program; times as ISO 8601."""
    print(json.dumps(value, indent=2, default=str))


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Asks a person.

    Raises:
        InputError: Nobody is there to be asked.
        typer.Exit: The answer is no.
    """
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise InputError("nobody is there to be asked; look at the plan above and add --yes")
    if not typer.confirm(question, err=True):
        print("nothing was done", file=sys.stderr)
        raise typer.Exit(1)


class Show:
    """Shows what an operation does, on standard error: a line a step, and what moves on the last line of a terminal.

    Args:
        quiet: Whether only what failed is shown.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._status: Status | None = None

    def __enter__(self) -> Show:
        """Begins."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the last line free."""
        if self._status is not None:
            self._status.stop()

    def step(self, text: str) -> None:
        """Something begins that takes a while."""
        self._console.print(f"[bold]{_plain(text)}[/]", soft_wrap=True)
        self._move(text)

    def detail(self, text: str) -> None:
        """A line of a program that runs."""
        if text.strip():
            self._move(text.strip())

    def note(self, text: str) -> None:
        """Something that a reader should find afterwards too."""
        self._console.print(f"  {_plain(text)}", soft_wrap=True)

    def progress(self, progress: Progress) -> None:
        """A deployment of a service has moved."""
        self.note(f"{progress.service}: {progress.text}")

    def _move(self, text: str) -> None:
        if not self._console.is_terminal:
            return
        short = f"[dim]{_plain(text[: max(20, self._console.width - 6)])}[/]"
        if self._status is None:
            self._status = self._console.status(short)
            self._status.start()
        self._status.update(short)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)

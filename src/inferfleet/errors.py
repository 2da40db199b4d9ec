"""The errors a user can meet, and the exit code that each one ends a command with.

Every message names the thing, the place and the way out. The command line prints the message alone;
anything that is not an `InferfleetError` is a bug and shows its traceback.
"""

from __future__ import annotations


class InferfleetError(Exception):
    """Base of all expected errors.

    Attributes:
        exit_code: What a command that dies of this error exits with.
    """

    exit_code = 1


class InputError(InferfleetError):
    """The user's input is wrong: a configuration, a model, a picture, an argument's value (exit code 1)."""


class OutsideError(InferfleetError):
    """The outside world failed: a network, a service, a disk, a missing permission (exit code 3)."""

    exit_code = 3

"""A call that cannot be done, as the API says it."""

from __future__ import annotations


class Refusal(Exception):
    """A call that cannot be done.

    Args:
        code: The error's code, as the API names it.
        message: What is wrong.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

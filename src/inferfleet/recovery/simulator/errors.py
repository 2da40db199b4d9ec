"""The error that the simulated services answer with."""


class ApiError(Exception):
    """An error of a service, by its code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

"""The service's errors, with the statuses that they have there."""

from __future__ import annotations

from starlette.responses import JSONResponse


class ServiceError(Exception):
    """A call is refused.

    Attributes:
        code: The error's name, which SDKs turn into an exception's.
        status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    def response(self) -> JSONResponse:
        """The error as the REST-JSON protocol carries it."""
        headers = {"x-amzn-ErrorType": self.code, "x-amzn-RequestId": "local"}
        return JSONResponse({"__type": self.code, "Message": str(self)}, self.status, headers)


def not_found(stream: str) -> ServiceError:
    """No such stream."""
    return ServiceError("ResourceNotFoundException", f"The requested stream {stream} is not found.", 404)


def invalid(message: str) -> ServiceError:
    """A parameter is missing, or no such value exists."""
    return ServiceError("InvalidArgumentException", message)


def throttled() -> ServiceError:
    """Too many calls."""
    return ServiceError("ClientLimitExceededException", "Rate exceeded for the stream; try again later.")


def too_many_connections(limit: int) -> ServiceError:
    """The connection limit of a stream."""
    return ServiceError("ConnectionLimitExceededException", f"The stream already has {limit} connections.")

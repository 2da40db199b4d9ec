"""What can go wrong with a stream, as types: so that the client can tell what to do, and a person what happened."""

from __future__ import annotations

from inferfleet.errors import OutsideError


class KvsError(OutsideError):
    """Base of everything that Kinesis Video Streams, or the way to it, does to us.

    Attributes:
        lasting: Trying again soon cannot help (a missing permission, a stream that is not there); the client
            still tries again, but at its slowest pace, and says so.
    """

    lasting = False


class DamageError(KvsError):
    """The bytes of a body are not what Matroska and the service's framing allow; the reader resynchronises.

    Attributes:
        place: Offset in the body, in bytes, of the element that is wrong.
    """

    def __init__(self, what: str, place: int) -> None:
        super().__init__(f"damaged Matroska at byte {place}: {what}")
        self.place = place


class StreamError(KvsError):
    """An error that the service reports inside a body which began with status 200.

    Attributes:
        id: AWS_KINESISVIDEO_ERROR_ID, such as 5000; 0 when the service gave none.
        code: AWS_KINESISVIDEO_ERROR_CODE, the service's words.
    """

    def __init__(self, id: int, code: str) -> None:
        super().__init__(f"Kinesis Video Streams ended the body with error {id}: {code or 'no reason given'}")
        self.id = id
        self.code = code


class StreamWriteError(StreamError):
    """3002: the service could not write to the body."""


class FragmentGoneError(StreamError):
    """4000: the fragment asked for is not there, most often because retention removed it."""


class KmsError(StreamError):
    """4500 to 4506: the stream's KMS key cannot be used, so its media cannot be decrypted."""

    lasting = True


class ServiceInternalError(StreamError):
    """5000: the service failed."""


def stream_error(id: int, code: str) -> StreamError:
    """The error that a pair of error tags stands for (GetMedia's API reference lists them)."""
    kinds: dict[int, type[StreamError]] = {3002: StreamWriteError, 4000: FragmentGoneError, 5000: ServiceInternalError}
    kinds |= dict.fromkeys(range(4500, 4507), KmsError)
    return kinds.get(id, StreamError)(id, code)


class CallError(KvsError):
    """A call was refused.

    Attributes:
        code: The service's name for the error, such as ClientLimitExceededException.
        status: HTTP status; 0 when it came without one.
    """

    def __init__(self, call: str, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{call}: {message.rstrip('.') or code}{self.way_out} ({code})")
        self.code = code
        self.status = status

    way_out = ""
    """What the user can do, appended to the service's words."""


class StreamNotFoundError(CallError):
    """There is no such stream in this account and region."""

    lasting = True
    way_out = "; check the stream's name, the region and the account"


class NotAuthorizedError(CallError):
    """The credentials may not do this."""

    lasting = True
    way_out = "; the role needs this permission on the stream (`inferfleet policy` prints the whole policy)"


class ExpiredTokenError(CallError):
    """The credentials have expired; new ones are fetched before the next try."""


class EndpointExpiredError(CallError):
    """The data endpoint is not valid any more; it is asked for again."""


class ThrottledError(CallError):
    """Too many calls on the stream."""


class TooManyConnectionsError(CallError):
    """All connections of the stream are taken (three read, one writes)."""

    way_out = "; another reader holds them: stop one, or give this stream's cameras to one worker"


class InvalidRequestError(CallError):
    """The service does not accept what was asked for."""

    lasting = True


class NoRetentionError(CallError):
    """The stream keeps no data, which the archive and HLS need."""

    lasting = True
    way_out = "; set its data retention to an hour or more"


class ServiceUnavailableError(CallError):
    """The service failed."""


class ConnectionBrokenError(KvsError):
    """The connection could not be made, or broke."""


class StalledError(KvsError):
    """The connection is there, but nothing has come for too long."""


class NoCredentialsError(KvsError):
    """The AWS credential chain found nothing."""

    lasting = True


_KINDS: dict[str, type[CallError]] = {
    "ResourceNotFoundException": StreamNotFoundError,
    "NotAuthorizedException": NotAuthorizedError,
    "AccessDeniedException": NotAuthorizedError,
    "UnrecognizedClientException": NotAuthorizedError,
    "InvalidSignatureException": NotAuthorizedError,
    "MissingAuthenticationTokenException": NotAuthorizedError,
    "ExpiredTokenException": ExpiredTokenError,
    "ExpiredToken": ExpiredTokenError,
    "InvalidEndpointException": EndpointExpiredError,
    "ClientLimitExceededException": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
    "ConnectionLimitExceededException": TooManyConnectionsError,
    "InvalidArgumentException": InvalidRequestError,
    "ValidationException": InvalidRequestError,
    "NoDataRetentionException": NoRetentionError,
}
_SERVER_ERRORS = 500


def call_error(call: str, code: str, message: str, status: int = 0) -> CallError:
    """The error that a refusal stands for.

    Args:
        call: What was called on which stream, for the message.
        code: The service's name for it.
        message: The service's words.
        status: HTTP status.
    """
    kind = _KINDS.get(code, ServiceUnavailableError if status >= _SERVER_ERRORS else CallError)
    if kind is NotAuthorizedError and "expired" in message.lower():
        kind = ExpiredTokenError  # the service calls an expired token NotAuthorized, too
    return kind(call, code, message, status)

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

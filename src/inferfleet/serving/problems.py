"""What can go wrong with a request, as RFC 9457 problem documents.

A `Problem` is raised wherever it is found and rendered in one place, so that no status, header or wording is decided
twice. Nothing of the server's inside gets into one: unexpected errors are logged and told as `internal` alone.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from inferfleet.serving.response import Header, Response
from inferfleet.vision.picture import PictureError

CONTENT_TYPE = b"application/problem+json"
PREFIX = "urn:inferfleet:problem:"

KINDS: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "damaged-picture": (400, "A picture is damaged"),
    "unauthorized": (401, "An API key is needed"),
    "forbidden": (403, "Not allowed here"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "Not with this method"),
    "read-timeout": (408, "The request took too long to arrive"),
    "too-large": (413, "The request or a picture in it is too large"),
    "unsupported-media-type": (415, "Not a kind of body or picture that is understood"),
    "invalid-value": (422, "A value is out of range"),
    "reload-failed": (422, "The new model cannot be used; the old one goes on serving"),
    "overloaded": (429, "Too many requests are waiting"),
    "internal": (500, "The server failed"),
    "not-ready": (503, "Not ready"),
    "deadline-exceeded": (504, "There was no answer in time"),
}
"""Status and title of every kind; `docs/serving.md` says what each means and what to do."""

_PICTURE_KINDS = {"too-large": "too-large", "unsupported": "unsupported-media-type", "damaged": "damaged-picture"}


class ClientGone(Exception):
    """The client closed its connection before it was answered."""


class Problem(Exception):
    """A request that is not answered as it hoped.

    Attributes:
        kind: One of `KINDS`.
        status: The HTTP status.
        headers: Further response headers.
    """

    def __init__(self, kind: str, detail: str, *headers: Header) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status, self.title = KINDS[kind]
        self.headers = headers

    @classmethod
    def of_picture(cls, error: PictureError) -> Problem:
        """Says what was wrong with a picture."""
        return cls(_PICTURE_KINDS[error.problem], str(error))

    def response(self, request_id: str) -> Response:
        """Renders the document; `error` repeats the detail, where the Open Inference Protocol looks for it."""
        detail = str(self)
        document = {
            "type": PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": detail,
            "error": detail,
            "request_id": request_id,
        }
        return Response(msgspec.json.encode(document), self.status, CONTENT_TYPE, self.headers)


def retry_after(seconds: float) -> Header:
    """The header that says when to come back, in whole seconds, at least one."""
    return b"retry-after", str(max(1, -int(-seconds // 1))).encode()


def phrase(status: int) -> str:
    """The usual words of a status."""
    return HTTPStatus(status).phrase

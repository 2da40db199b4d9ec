"""What is delivered: an event with its pictures, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.streams.event import Event


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture that belongs to an event.

    Attributes:
        path: Where the sink puts it, below its folder or in its bucket; relative, with `/` between the parts.
        content_type: Media type, for example `image/jpeg`.
        data: The encoded picture.
        sink: Name of the sink it is meant for; the others never see it.
    """

    path: str
    content_type: str
    data: bytes
    sink: str = "snapshots"


@dataclass(frozen=True, slots=True)
class Item:
    """An event and its pictures.

    Attributes:
        event: The event.
        attachments: Its pictures; a sink gets only those meant for it.
    """

    event: Event
    attachments: tuple[Attachment, ...] = ()

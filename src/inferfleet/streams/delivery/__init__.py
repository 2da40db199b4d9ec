"""From events to those who want them: a spool on disk, and sinks that drain it each at its own pace."""

from inferfleet.streams.delivery.dispatcher import Delivery, SinkStatus
from inferfleet.streams.delivery.item import Attachment, Item
from inferfleet.streams.delivery.sinks.build import open_sinks
from inferfleet.streams.delivery.snapshots import Snapshots
from inferfleet.streams.delivery.spool import Backlog, Spool
from inferfleet.streams.delivery.writer import SpoolError

__all__ = ["Attachment", "Backlog", "Delivery", "Item", "SinkStatus", "Snapshots", "Spool", "SpoolError", "open_sinks"]

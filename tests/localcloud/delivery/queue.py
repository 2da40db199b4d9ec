"""A queue that what is published can be sent to."""

from __future__ import annotations

import time

from tests.localcloud.delivery.cloud import client, unique
from tests.localcloud.delivery.support import PATIENCE


class Queue:
    """An SQS queue."""

    def __init__(self, url: str, *, fifo: bool = False) -> None:
        self._api = client("sqs", url)
        name = unique("queue") + (".fifo" if fifo else "")
        attributes = {"FifoQueue": "true"} if fifo else {}
        self._url = self._api.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = self._api.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        self.arn = found["Attributes"]["QueueArn"]

    def wait_for(self, count: int) -> list[str]:
        """Receives messages until there are `count`, and whatever else is there then."""
        bodies: list[str] = []
        deadline = time.monotonic() + PATIENCE
        while True:
            got = self._api.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            bodies += [message["Body"] for message in got]
            if got:
                entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)]
                self._api.delete_message_batch(QueueUrl=self._url, Entries=entries)
            if not got and len(bodies) >= count:
                return bodies
            assert time.monotonic() < deadline, f"{len(bodies)} of {count} messages"

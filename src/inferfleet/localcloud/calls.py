"""boto3 clients that call the emulator from inside its own process, for the account and region at hand."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferfleet.localcloud.emulator import Place


class Calls:
    """Clients of the emulator's services, made once for each account and region.

    They are for worker threads only: a call from the thread that serves requests would wait for itself.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, account: str, region: str) -> Any:
        """The boto3 client of a service.

        Args:
            service: As boto3 names it.
            account: Number of the account; MiniStack takes an access key of 12 digits for it.
            region: As AWS names it.
        """
        from botocore.config import Config

        key = (service, account, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,
                    endpoint_url=self._place.url,
                    region_name=region,
                    aws_access_key_id=account,
                    aws_secret_access_key="emulator",
                    config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
                )
            return self._clients[key]

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.session.Session()

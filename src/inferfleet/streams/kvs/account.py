"""An AWS account's Kinesis Video Streams: credentials from the ordinary chain, the control plane, data endpoints.

One account serves all streams of a process; it is thread-safe.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from inferfleet.streams.kvs.errors import ConnectionBrokenError, NoCredentialsError, call_error

if TYPE_CHECKING:
    import boto3
    from botocore.credentials import ReadOnlyCredentials

ENDPOINT_AGE_S = 45 * 60.0
"""How long a data endpoint is used before it is asked for again; connections do not live longer either."""

_CONNECT_S, _READ_S = 10, 20
_MOST_CLIENTS = 32
"""A client takes megabytes, and each data endpoint needs one of its own."""
_NO_REGION = "no AWS region is configured; set `region`, or AWS_REGION in the environment"
_NO_CREDENTIALS = "no AWS credentials were found; give the task a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"


@dataclass(frozen=True, slots=True)
class _Endpoint:
    url: str
    since: float


class Account:
    """Credentials, region and endpoints for Kinesis Video Streams.

    Args:
        region: AWS region; from the environment or the profile when left out.
        endpoint_url: Address of the control plane, to use another than AWS's; from the environment when left out.
        profile: Profile of the AWS configuration.
        clock: Seconds, as `time.monotonic` gives them.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._profile = profile
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: dict[tuple[str, str], _Endpoint] = {}
        self._made_session: boto3.Session | None = None
        self._made_clients: dict[tuple[str, str | None], Any] = {}

    @property
    def region(self) -> str:
        """The region that requests are signed for.

        Raises:
            NoCredentialsError: None is configured.
        """
        region = self._session().region_name
        if not region:
            raise NoCredentialsError(_NO_REGION)
        return region

    def credentials(self) -> ReadOnlyCredentials:
        """Credentials that are valid now.

        Raises:
            NoCredentialsError: The chain found none.
        """
        found = self._session().get_credentials()
        if found is None:
            raise NoCredentialsError(_NO_CREDENTIALS)
        return found.get_frozen_credentials()

    def renew(self) -> None:
        """Walks the credential chain anew on next use, as the credentials have been refused as expired."""
        with self._lock:
            self._made_session = None
            self._made_clients.clear()

    def endpoint(self, stream: str, api: str) -> str:
        """The data endpoint of a stream for a call such as GET_MEDIA, from the cache when it is fresh.

        Raises:
            KvsError: The service refused.
        """
        with self._lock:
            known = self._endpoints.get((stream, api))
        if known is not None and self._clock() - known.since < ENDPOINT_AGE_S:
            return known.url
        with calling(f"GetDataEndpoint of stream {stream!r}"):
            found = self.control().get_data_endpoint(StreamName=stream, APIName=api)
        url = str(found["DataEndpoint"])
        with self._lock:
            self._endpoints[stream, api] = _Endpoint(url, self._clock())
        return url

    def forget_endpoint(self, stream: str, api: str) -> None:
        """Asks for the data endpoint again on next use."""
        with self._lock:
            self._endpoints.pop((stream, api), None)

    def control(self) -> Any:
        """The boto3 client of the control plane."""
        return self._client("kinesisvideo", self._endpoint_url)

    def archive(self, stream: str, api: str) -> Any:
        """The boto3 client of the archive for one of its calls.

        Raises:
            KvsError: The service refused to give its endpoint.
        """
        return self._client("kinesis-video-archived-media", self.endpoint(stream, api))

    def _client(self, service: str, url: str | None) -> Any:
        from botocore.config import Config

        session: Any = self._session()  # the stubs know no service by a variable name
        with self._lock:
            client = self._made_clients.get((service, url))
            if client is None:
                if len(self._made_clients) >= _MOST_CLIENTS:
                    self._made_clients.clear()
                config = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"mode": "standard"})
                client = session.client(service, endpoint_url=url, config=config)
                self._made_clients[service, url] = client
            return client

    def _session(self) -> boto3.Session:
        import boto3

        with self._lock:
            if self._made_session is None:
                # boto3 does not look at AWS_REGION, which is what ECS and Lambda set.
                region = self._region or os.environ.get("AWS_REGION")
                self._made_session = boto3.Session(region_name=region, profile_name=self._profile)
            return self._made_session


@lru_cache(maxsize=64)
def shared_account(region: str | None, endpoint_url: str | None) -> Account:
    """The account that all cameras of a region have in common: its clients and credentials are costly to make."""
    return Account(region=region, endpoint_url=endpoint_url)


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Turns botocore's errors into ours.

    Raises:
        KvsError: The service refused, or could not be reached.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        detail = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise call_error(what, detail.get("Code", ""), detail.get("Message", ""), status) from error
    except exceptions.NoRegionError as error:
        raise NoCredentialsError(_NO_REGION) from error
    except exceptions.NoCredentialsError as error:
        raise NoCredentialsError(_NO_CREDENTIALS) from error
    except exceptions.BotoCoreError as error:
        raise ConnectionBrokenError(f"{what}: {error}") from error

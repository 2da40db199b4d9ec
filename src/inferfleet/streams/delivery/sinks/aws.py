"""What the sinks on AWS share: clients, and errors that say which permission is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from inferfleet import __version__
from inferfleet.config.sink_aws import AwsSettings
from inferfleet.streams.delivery.sinks.base import SinkError, SinkUnavailable

CONNECT_SECONDS = 5
READ_SECONDS = 20
_ATTEMPTS = 2
"""The SDK's own attempts: one retry hides a connection that was closed while idle; the rest is the dispatcher's."""

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "NotAuthorizedException",
    "403",
}
_WHO = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_MISSING = {"ResourceNotFoundException", "NoSuchBucket", "NotFound", "NotFoundException", "404"}


def make_client(service: str, settings: AwsSettings, connections: int = 1) -> Any:
    """Makes a client of a service.

    Args:
        service: As boto3 names it.
        settings: Region and endpoint, where they are given.
        connections: How many threads use it at once.

    Raises:
        SinkError: There is no region or no boto3.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise SinkError(f"the {service} sink needs boto3; install it with: pip install 'inferfleet[s3]'") from error
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=connections,
        user_agent_extra=f"inferfleet/{__version__}",
    )
    try:
        session: Any = boto3.Session()
        return session.client(service, region_name=settings.region, endpoint_url=settings.endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise SinkError(f"the {service} sink cannot be set up: {error}; set `region`, or AWS_REGION") from error


@contextmanager
def explained(permission: str, target: str) -> Iterator[None]:
    """Turns the SDK's errors into ours.

    Args:
        permission: The IAM action that the call needs, such as `kinesis:PutRecords`.
        target: What is called, for people: `the stream events`.

    Raises:
        SinkError: Somebody must change something: permission, credentials, a target that does not exist.
        SinkUnavailable: Anything that may pass: throttling, failures of the service, the network.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        message = error.response.get("Error", {}).get("Message") or code
        if code in _DENIED:
            raise SinkError(f"{target}: missing permission: {permission} ({message})") from error
        if code in _WHO:
            raise SinkError(f"{target}: the AWS credentials are not valid ({code}: {message})") from error
        if code in _MISSING:
            raise SinkError(f"{target} does not exist in this account and region ({message})") from error
        raise SinkUnavailable(f"{target}: {permission} failed: {code}: {message}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise SinkError(
            f"{target}: no AWS credentials were found; give the task a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
        ) from error
    except BotoCoreError as error:
        raise SinkUnavailable(f"{target}: {permission} failed: {error}") from error


def error_code(error: Any) -> str:
    """Returns the code of a `ClientError`."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_real(client: Any) -> bool:
    """Whether a client talks to AWS itself, and not to an emulator that may accept what AWS would refuse."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))

"""An AWS account in a region, as everything here reaches it: boto3's ordinary chain, and errors that say what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from inferfleet.errors import InputError, OutsideError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")


class Account:
    """The clients of one region, made when they are first used.

    Attributes:
        region: The region.
    """

    def __init__(self, region: str) -> None:
        self.region = region
        self._clients: dict[str, Any] = {}

    def client(self, name: str) -> Any:
        """The client of a service, which tries again by itself while AWS throttles.

        Raises:
            InputError: boto3 is not installed.
        """
        if name not in self._clients:
            try:
                import boto3
                from botocore.config import Config
            except ModuleNotFoundError:
                raise InputError(
                    "this command talks to AWS and needs boto3: pip install 'inferfleet[deploy]'"
                ) from None
            config = Config(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=5, read_timeout=60)
            make: Any = boto3.Session(region_name=self.region).client
            self._clients[name] = make(name, config=config)
        return self._clients[name]

    @cached_property
    def identity(self) -> dict[str, str]:
        """Who is asking: `Account`, `Arn`, `UserId`."""
        answer = self.client("sts").get_caller_identity()
        return {key: str(answer[key]) for key in ("Account", "Arn", "UserId")}

    @property
    def id(self) -> str:
        """The 12 digits."""
        return self.identity["Account"]

    @property
    def endpoint(self) -> str:
        """Where all calls go instead of AWS; empty for AWS itself."""
        return os.environ.get("AWS_ENDPOINT_URL", "")

    @property
    def is_local(self) -> bool:
        """Whether it is one that this machine plays."""
        return urlsplit(self.endpoint).hostname in _LOOPBACK

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All items of a call that answers in pages.

        Args:
            service: The service, as boto3 names it.
            operation: The method of its client.
            key: The field of each page that holds the items.
            **arguments: What the call takes.
        """
        client = self.client(service)
        if not client.can_paginate(operation):
            return list(getattr(client, operation)(**arguments)[key])
        return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(key, ())]


def code(error: Exception) -> str:
    """The code of an error that AWS answered; empty for others."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def missing_is_none() -> Iterator[None]:
    """Passes over an answer that says that the thing is not there."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if not is_missing(error):
            raise


def is_missing(error: Exception) -> bool:
    """Whether AWS says that a thing does not exist; every service says it in its own words."""
    said = code(error)
    return (
        said.endswith(("NotFound", "NotFoundException", "NotFoundFault", "NoSuchEntity", "DoesNotExist", "404"))
        or said.startswith(("NoSuch", "ResourceNotFound"))
        or said in ("ServiceNotActiveException", "InvalidGroup.NotFound")
        or (said == "ValidationError" and ("does not exist" in str(error) or "not found" in str(error)))
        or (said == "ClientException" and "Unable to describe" in str(error))
    )


@contextmanager
def told(region: str) -> Iterator[None]:
    """Turns what boto3 raises into errors that name the call and the way out.

    Raises:
        OutsideError: AWS cannot be reached, knows no such credentials, or refuses.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    except ModuleNotFoundError:
        raise InputError("this command talks to AWS and needs boto3: pip install 'inferfleet[deploy]'") from None
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise OutsideError(
            f"no AWS credentials: {error}; sign in with `aws sso login` or `aws configure`, name a profile with "
            "AWS_PROFILE, or add --local for the cloud on this machine"
        ) from error
    except ClientError as error:
        raise OutsideError(_refusal(error, region)) from error
    except BotoCoreError as error:
        where = os.environ.get("AWS_ENDPOINT_URL")
        hint = f"AWS_ENDPOINT_URL is {where}; does it run? `inferfleet local status`" if where else "is the network up?"
        raise OutsideError(f"AWS cannot be reached: {error}; {hint}") from error


def _refusal(error: Any, region: str) -> str:
    said, call = code(error), getattr(error, "operation_name", "a call")
    message = str(error.response.get("Error", {}).get("Message", error))
    if said in _EXPIRED:
        way = "the credentials have expired or are wrong; sign in again with `aws sso login` or `aws configure`"
    elif said in _DENIED:
        way = f"the credentials may not call {call}; `aws sts get-caller-identity` says whose they are"
    else:
        way = f"region {region}"
    return f"AWS refused {call}: {said}: {message} ({way})"

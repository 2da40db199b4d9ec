"""The emulated service refuses what AWS would refuse: wrong secrets, wrong bodies, old dates, other services."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError

from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.errors import NotAuthorizedError
from inferfleet.streams.kvs.put_media import Producer
from inferfleet.streams.kvs.signed import sign

BODY = b'{"StreamName": "gate"}'
TEST = ReadOnlyCredentials("test", "test", None)


def answer(url: str, headers: Mapping[str, str], body: bytes = BODY) -> str:
    """The error's name that a POST gets; OK when it gets none."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, body, dict(headers), method="POST"), timeout=30).close()
    except urllib.error.HTTPError as error:
        return f"{error.headers['x-amzn-ErrorType']}: {json.loads(error.read())['Message']}"
    return "OK"


def signed(url: str, credentials: ReadOnlyCredentials = TEST, **headers: str) -> dict[str, str]:
    return sign(url, {"Content-Type": "application/json", **headers}, BODY, credentials, "eu-central-1")


@pytest.fixture
def url(kvs) -> str:
    kvs.create()
    return f"{kvs.url}/describeStream"


def test_what_is_signed_well_passes_whatever_the_region(kvs, url):
    assert answer(url, signed(url)) == "OK"
    assert answer(url + "?a=b%2Fc&d=", signed(url + "?a=b%2Fc&d=")) == "OK"
    for region in ("us-east-1", "ap-southeast-1"):
        control = boto3.client("kinesisvideo", endpoint_url=kvs.url, region_name=region)
        assert control.describe_stream(StreamName="gate")["StreamInfo"]["StreamName"] == "gate"


def test_a_wrong_secret_is_refused_by_every_kind_of_call(kvs, url, clip, monkeypatch):
    assert "does not match" in answer(url, signed(url, ReadOnlyCredentials("test", "other", None)))
    wrong = boto3.client("kinesisvideo", endpoint_url=kvs.url, aws_access_key_id="test", aws_secret_access_key="no")
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        wrong.list_streams()
    endpoint = kvs.control.get_data_endpoint(StreamName="gate", APIName="PUT_MEDIA")["DataEndpoint"]
    account = Account(endpoint_url=kvs.url)
    assert account.endpoint("gate", "PUT_MEDIA").startswith(kvs.url)
    monkeypatch.setattr(account, "credentials", lambda: Credentials("test", "no").get_frozen_credentials())
    with pytest.raises(NotAuthorizedError, match="InvalidSignature"):
        Producer(account, "gate", clip.tracks).put(fragment for _, fragment in clip.outgoing(1.7e9))
    assert "does not match" in answer(f"{endpoint}/getMedia", signed(f"{endpoint}/getMedia", wrong_secret()))


def test_what_was_changed_after_signing_is_refused(url):
    assert "does not match" in answer(url, signed(url), BODY.replace(b"gate", b"yard"))
    assert "does not match" in answer(url + "?a=b", signed(url))
    assert "does not match" in answer(url, signed(url) | {"Content-Type": "text/plain"})


def test_old_dates_other_services_and_missing_headers_are_told(url):
    headers = signed(url)
    old = f"{datetime.now(UTC) - timedelta(minutes=6):%Y%m%dT%H%M%SZ}"
    assert "minutes off" in answer(url, _scoped(headers, old) | {"X-Amz-Date": old})
    assert "scoped to correct service" in answer(url, _replaced(headers, "/kinesisvideo/", "/kinesis/"))
    assert "host must be a SignedHeader" in answer(url, _replaced(headers, "host;", ""))
    assert "not signed" in answer(url, {"Content-Type": "application/json"})
    assert "X-Amz-Date" in answer(url, headers | {"X-Amz-Date": "yesterday"})


def test_an_access_key_that_nobody_knows_is_let_in_as_by_the_other_emulated_services(url):
    assert answer(url, signed(url, ReadOnlyCredentials("ASIAROLE", "secret of a role", "token"))) == "OK"


def wrong_secret() -> ReadOnlyCredentials:
    return ReadOnlyCredentials("test", "no", None)


def _replaced(headers: dict[str, str], one: str, other: str) -> dict[str, str]:
    return headers | {"Authorization": headers["Authorization"].replace(one, other)}


def _scoped(headers: dict[str, str], stamp: str) -> dict[str, str]:
    day = headers["X-Amz-Date"][:8]
    return _replaced(headers, f"/{day}/", f"/{stamp[:8]}/")

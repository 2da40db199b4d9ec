"""Whether a call is signed as it must be: Signature Version 4, recomputed with botocore's own signer.

Only who holds the secret of an access key id can check what that id signed. Of the ids that are configured here (the
local cloud's `test`, unless said otherwise) every signature is recomputed; of others, such as the temporary ones that
an emulated role hands out, no more than form, age and scope can be seen.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPMessage
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from inferfleet.localcloud.kvs.errors import ServiceError

SERVICE = "kinesisvideo"
DEFAULT_SECRETS: Mapping[str, str] = {"test": "test"}
"""The credentials that `inferfleet local env` exports."""
_MAX_AGE_S = 300.0
"""How far a request's date may be off (the service's own tolerance)."""
_DATE = "%Y%m%dT%H%M%SZ"
_EMPTY = hashlib.sha256(b"").hexdigest()
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def check(request: Request, body: bytes, secrets: Mapping[str, str], *, now: datetime | None = None) -> None:
    """Sees that a request is signed.

    Args:
        request: The request.
        body: Its body; empty for one that is streamed, which is signed as if it had none.
        secrets: The secret of each access key id that is known.
        now: The time; this machine's when left out.

    Raises:
        ServiceError: It carries no signature, an old one, one for another service, or a wrong one.
    """
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise ServiceError("MissingAuthenticationTokenException", "The request is not signed for kinesisvideo.", 403)
    if found["service"] != SERVICE:
        raise _wrong(f"Credential should be scoped to correct service: '{SERVICE}'.")
    stamp = request.headers.get("x-amz-date", "")
    try:
        date = datetime.strptime(stamp, _DATE).replace(tzinfo=UTC)
    except ValueError:
        raise _wrong("X-Amz-Date is missing, or not like 20260131T120000Z.") from None
    if not stamp.startswith(found["day"]):
        raise _wrong("Date in Credential scope does not match YYYYMMDD from X-Amz-Date.")
    if abs(((now or datetime.now(UTC)) - date).total_seconds()) > _MAX_AGE_S:
        raise _wrong(f"Signature expired or not yet current: {stamp} is more than 5 minutes off.")
    names = found["headers"].split(";")
    if missing := {"host", "x-amz-date"} - set(names):
        raise _wrong(f"{' and '.join(sorted(missing))} must be a SignedHeader.")
    secret = secrets.get(found["id"])
    if secret is None:
        return
    expected = signature(request, body, (found["id"], secret), found["region"], names)
    if not hmac.compare_digest(expected, found["signature"]):
        raise _wrong(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )


def signature(request: Request, body: bytes, key: tuple[str, str], region: str, names: list[str]) -> str:
    """The signature that a request should carry.

    Args:
        request: The request.
        body: Its body, unless the request says its hash itself.
        key: Access key id and secret.
        region: Of the credential's scope.
        names: The signed headers, in lower case.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = HTTPMessage()
    for name in names:
        for value in request.headers.getlist(name):
            headers[name] = value

    class Signer(SigV4Auth):
        """Signs the headers that the client says it has signed, rather than those that botocore would sign."""

        def headers_to_sign(self, request: Any) -> HTTPMessage:
            return headers

    query = request.scope["query_string"].decode()
    path = unquote(request.scope["raw_path"].decode())
    signed = AWSRequest("POST", f"http://local{path}" + (f"?{query}" if query else ""), data=body)
    signed.context["timestamp"] = request.headers["x-amz-date"]
    signed.headers["X-Amz-Content-SHA256"] = request.headers.get(
        "x-amz-content-sha256", hashlib.sha256(body).hexdigest() if body else _EMPTY
    )
    signer = Signer(Credentials(*key), SERVICE, region)
    return str(signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed))


def _wrong(message: str) -> ServiceError:
    return ServiceError("InvalidSignatureException", message, 403)

"""Where model files come from: the disk, `https://`, `s3://`, or the zoo that ships; downloads are cached by content.

A file in the cache is complete: it is written beside its place and moved there only when its digest is known. Nothing
is resumed, so nothing half-written is ever used.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from inferfleet.errors import InputError, OutsideError

MOST_BYTES = 4 * 1024**3
"""No model file is larger: beyond 2 GiB an ONNX file must keep its weights apart anyway."""

_CHUNK = 1024 * 1024
_TIMEOUT = 30.0
_CONTAINER_CACHE = Path("/app/.cache")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that is on this machine.

    Attributes:
        path: Where it is.
        digest: Its SHA-256, lower-case hex.
    """

    path: Path
    digest: str


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Finds where downloads are kept: `MODEL_CACHE`, `/app/.cache` where a container has it, else the user's own."""
    if environment.get("MODEL_CACHE"):
        return Path(environment["MODEL_CACHE"])
    if _CONTAINER_CACHE.is_dir() and os.access(_CONTAINER_CACHE, os.W_OK):
        return _CONTAINER_CACHE
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inferfleet"


def fetch(place: str, sha256: str | None, cache: Path) -> ModelFile:
    """Brings a model file to this machine.

    Args:
        place: A path, `https://…`, `s3://bucket/key` or `zoo:name`.
        sha256: What the file's digest must be; None accepts any.
        cache: The folder that downloads are kept in; with `sha256` given, a file in it is used without asking again.

    Raises:
        InputError: There is no such file, or its digest is another.
        OutsideError: It could not be fetched.
    """
    if place.startswith("zoo:"):
        return _checked(_zoo(place), place, sha256)
    scheme = place.partition("://")[0] if "://" in place else ""
    if scheme == "":
        return _checked(Path(place).expanduser(), place, sha256)
    if sha256 is not None:
        kept = _cached(cache, sha256, place)
        if kept.is_file() and digest_of(kept) == sha256:
            return ModelFile(kept, sha256)
    if scheme == "https":
        return _download(_https(place), place, sha256, cache)
    if scheme == "s3":
        return _download(_s3(place), place, sha256, cache)
    raise InputError(f"model {place}: {scheme}:// cannot be read; use https://, s3:// or a local file")


def digest_of(path: Path) -> str:
    """Computes a file's SHA-256, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _zoo(place: str) -> Path:
    folder = Path(__file__).parent / "zoo"
    path = folder / f"{place.removeprefix('zoo:')}.onnx"
    if path.parent != folder or not path.is_file():
        known = ", ".join(f"zoo:{file.stem}" for file in sorted(folder.glob("*.onnx"))) or "none"
        raise InputError(f"model {place}: no such model ships; there are: {known}")
    return path


def _checked(path: Path, place: str, sha256: str | None) -> ModelFile:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise InputError(f"model {place}: {what}; give the path of an .onnx file (relative ones start at {Path.cwd()})")
    try:
        found = digest_of(path)
    except OSError as error:
        raise InputError(f"model {place}: cannot be read: {error.strerror}") from error
    _compare(place, found, sha256)
    return ModelFile(path, found)


def _compare(place: str, found: str, wanted: str | None) -> None:
    if wanted not in (None, found):
        raise InputError(
            f"model {place}: its SHA-256 is {found}, not {wanted}; if the new file is meant, put its digest in `sha256`"
        )


def _cached(cache: Path, digest: str, place: str) -> Path:
    """The place of a download: its digest first, its name kept for people."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(urlsplit(place).path).name) or "model.onnx"
    return cache / "models" / digest[:16] / name


@dataclass(frozen=True, slots=True)
class _Source:
    """An open download: its size where the server tells, and its bytes."""

    size: int | None
    chunks: Iterator[bytes]


def _download(opened: Any, place: str, sha256: str | None, cache: Path) -> ModelFile:
    folder = cache / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
    except OSError as error:
        raise OutsideError(
            f"model {place}: the cache folder {cache} cannot be written ({error.strerror}); set MODEL_CACHE to another"
        ) from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, opened as source:
            found = _copy(source, target, place)
        _compare(place, found, sha256)
        final = _cached(cache, found, place)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(final)
        return ModelFile(final, found)
    except OSError as error:
        raise OutsideError(f"model {place}: cannot be downloaded: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: _Source, target: IO[bytes], place: str) -> str:
    digest, total = hashlib.sha256(), 0
    if source.size is not None and source.size > MOST_BYTES:
        raise InputError(f"model {place}: {source.size} bytes; at most {MOST_BYTES} are accepted")
    for chunk in source.chunks:
        total += len(chunk)
        if total > MOST_BYTES:
            raise InputError(f"model {place}: more than {MOST_BYTES} bytes, which is the most that is accepted")
        digest.update(chunk)
        target.write(chunk)
    if source.size is not None and total != source.size:
        raise OutsideError(f"model {place}: the download broke off after {total} of {source.size} bytes; try again")
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest()


@contextmanager
def _https(place: str) -> Iterator[_Source]:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(place, headers={"User-Agent": "inferfleet", "Accept-Encoding": "identity"})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        raise OutsideError(f"model {place}: the server answers {error.code} {error.reason}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise OutsideError(f"model {place}: cannot be reached: {getattr(error, 'reason', error)}") from error
    with response:
        if urlsplit(response.url).scheme != "https":
            raise OutsideError(f"model {place}: the server redirects to {response.url}, which is not https")
        length = response.headers.get("Content-Length")
        try:
            yield _Source(int(length) if length else None, iter(lambda: response.read(_CHUNK), b""))
        except http.client.HTTPException as error:
            raise OutsideError(f"model {place}: the download broke off: {error!r}; try again") from error


@contextmanager
def _s3(place: str) -> Iterator[_Source]:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise InputError(f"model {place}: reading from S3 needs boto3; install `inferfleet[s3]`") from error

    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise InputError(f"model {place}: is not s3://bucket/key")
    try:
        answer = boto3.client("s3").get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as body:
            yield _Source(answer["ContentLength"], body.iter_chunks(_CHUNK))
    except ClientError as error:
        detail = error.response["Error"]
        raise OutsideError(
            f"model {place}: S3 answers {detail.get('Code')}: {detail.get('Message')} "
            "(the role needs s3:GetObject on it)"
        ) from error
    except BotoCoreError as error:
        raise OutsideError(f"model {place}: cannot be fetched: {error}") from error

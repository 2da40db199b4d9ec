"""`inferfleet kvs`: video into and out of Kinesis Video Streams, on AWS or on this machine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferfleet.errors import InputError, OutsideError

if TYPE_CHECKING:
    from inferfleet.streams.kvs.account import Account
    from inferfleet.streams.kvs.put_media import Outgoing
    from inferfleet.streams.kvs.selector import Start

StreamName = Annotated[str, typer.Option("--stream", "-s", help="Name of the Kinesis video stream.")]
Region = Annotated[str | None, typer.Option(help="AWS region; from the environment when left out.")]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint-url", help="Another address than AWS's for the control plane.")
]
Profile = Annotated[str | None, typer.Option(help="Profile of the AWS configuration.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Put video into Kinesis Video Streams, get it out, list streams.", no_args_is_help=True)
    group.command("put")(put)
    group.command("get")(get)
    group.command("ls")(ls)
    app.add_typer(group, name="kvs")


def put(
    file: Annotated[Path, typer.Argument(help="A video file with H.264 or H.265, in any container.")],
    stream: StreamName,
    realtime: Annotated[bool, typer.Option("--realtime", help="At the file's own speed, as a camera would.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, until interrupted.")] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Create the stream if it is missing (24 hours' retention).")
    ] = False,
    fragment: Annotated[float, typer.Option(help="Least length of a fragment in seconds.", min=0.1, max=20)] = 2.0,
    transcode: Annotated[
        bool, typer.Option("--transcode", help="Encode anew, with a key frame for each fragment.")
    ] = False,
    start: Annotated[
        datetime | None, typer.Option(help="Capture time of the first frame (UTC); else so that the file ends now.")
    ] = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    profile: Profile = None,
) -> None:
    """Put the video of a file into a stream, as a camera's producer does. Its frames are sent as they are.

    Example: `inferfleet kvs put gate.mp4 --stream gate --realtime --loop`
    """
    from inferfleet.streams.kvs import recording
    from inferfleet.streams.kvs.put_media import Producer

    if loop and not realtime:
        raise InputError("--loop needs --realtime: without it, nothing would ever slow it down")
    clip = recording.read(file, fragment_s=fragment, transcode=transcode)
    account = _account(region, endpoint_url, profile)
    if create:
        _create(account, stream)
    now = time.time()
    begin = _utc(start).timestamp() if start else (now if realtime else now - clip.duration / 1e9)
    producer = Producer(account, stream, clip.tracks)
    lead = now - begin if realtime else None
    try:
        producer.put(_paced(clip.outgoing(begin, loop=loop), lead))
    finally:
        sent = producer.sent
        print(
            f"{stream}: {sent.fragments} fragments persisted, {sent.bytes / 1e6:.1f} MB, {sent.reconnects} reconnects",
            file=sys.stderr,
        )


def get(
    stream: StreamName,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write Matroska; `-` for standard output.")],
    start: Annotated[
        str, typer.Option(help="now, earliest, a time such as 2026-01-31T12:00:00Z, or a fragment number.")
    ] = "now",
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds of video.", min=0.1)] = None,
    fragments: Annotated[int | None, typer.Option(help="Stop after so many fragments.", min=1)] = None,
    idle: Annotated[
        float | None, typer.Option(help="Stop when no fragment has come for so many seconds.", min=0.1)
    ] = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    profile: Profile = None,
) -> None:
    """Write a stream to a Matroska file that any player reads, reconnecting as long as it takes.

    Example: `inferfleet kvs get --stream gate --start earliest --idle 5 -o gate.mkv`
    """
    from inferfleet.streams.kvs.client import MediaClient
    from inferfleet.streams.kvs.saving import save

    client = MediaClient(_account(region, endpoint_url, profile), stream)
    begin = parse_start(start)
    if str(output) == "-":
        saved = save(client, begin, sys.stdout.buffer, duration=duration, fragments=fragments, idle=idle)
    else:
        try:
            with output.open("wb") as file:
                saved = save(client, begin, file, duration=duration, fragments=fragments, idle=idle)
        except OSError as error:
            raise OutsideError(f"{output}: cannot be written: {error.strerror}") from error
    print(
        f"{stream}: {saved.fragments} fragments, {saved.frames} frames, {saved.seconds:.1f} s of video", file=sys.stderr
    )


def ls(
    prefix: Annotated[str, typer.Argument(help="Only streams whose name begins so.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a stream and line.")] = False,
    region: Region = None,
    endpoint_url: Endpoint = None,
    profile: Profile = None,
) -> None:
    """List the streams of an account and region.

    Example: `inferfleet kvs ls gate-`
    """
    from inferfleet.streams.kvs.account import calling

    options = (
        {"StreamNameCondition": {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix}} if prefix else {}
    )
    with calling("ListStreams"):
        pages = list(
            _account(region, endpoint_url, profile).control().get_paginator("list_streams").paginate(**options)
        )
    streams = [stream for page in pages for stream in page["StreamInfoList"]]
    if as_json:
        for stream in streams:
            print(
                json.dumps({key: str(value) if isinstance(value, datetime) else value for key, value in stream.items()})
            )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("stream", "status", "retention", "created", box=None)
    for stream in streams:
        created = f"{stream['CreationTime'].astimezone(UTC):%Y-%m-%d %H:%M}"
        table.add_row(stream["StreamName"], stream["Status"], f"{stream['DataRetentionInHours']} h", created)
    Console().print(table)


def parse_start(text: str) -> Start:
    """Reads a start as a person writes it.

    Raises:
        InputError: It is none of the kinds.
    """
    from inferfleet.streams.kvs.selector import Start

    if text in ("now", "earliest"):
        return Start.now() if text == "now" else Start.earliest()
    if text.isdigit():
        return Start.after(text)
    try:
        return Start.at(_utc(datetime.fromisoformat(text)).timestamp(), by_producer=True)
    except ValueError:
        raise InputError(
            f"--start {text!r}: give now, earliest, a time such as 2026-01-31T12:00:00Z, or a fragment number"
        ) from None


def _paced(fragments: Iterator[tuple[float, Outgoing]], lead: float | None) -> Iterator[Outgoing]:
    """The fragments, each when its last frame would have been captured; at once for no lead."""
    for complete, outgoing in fragments:
        if lead is not None:
            time.sleep(max(0.0, complete + lead - time.time()))
        yield outgoing


def _account(region: str | None, endpoint_url: str | None, profile: str | None) -> Account:
    from inferfleet.streams.kvs.account import Account

    return Account(region=region, endpoint_url=endpoint_url, profile=profile)


def _create(account: Account, stream: str) -> None:
    from inferfleet.streams.kvs.account import calling
    from inferfleet.streams.kvs.errors import CallError

    try:
        with calling(f"CreateStream {stream!r}"):
            account.control().create_stream(StreamName=stream, DataRetentionInHours=24, MediaType="video/h264")
    except CallError as error:
        if error.code != "ResourceInUseException":
            raise


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)

"""The emulated service as boto3 sees it: control plane, GetMedia, the archive, HLS, quotas."""

from __future__ import annotations

import io
import re
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import av
import boto3
import pytest
from botocore.exceptions import ClientError

from inferfleet.localcloud.kvs.limits import Rates
from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader


def read_fragments(body: bytes, framing: Framing = Framing.GET_MEDIA) -> list[Fragment]:
    reader = MatroskaReader(framing)
    items = [*reader.feed(body), *reader.finish()]
    assert all(isinstance(item, Fragment) for item in items), items
    return items


def get_media(kvs, **selector):
    client = kvs.client("kinesis-video-media", "GET_MEDIA")
    return read_fragments(client.get_media(StreamName="gate", StartSelector=selector)["Payload"].read())


def test_streams_are_created_described_listed_tagged_and_deleted(kvs):
    for name in ("gate-1", "gate-2", "yard"):
        kvs.control.create_stream(StreamName=name, DataRetentionInHours=2, Tags={"site": "north"})
    info = kvs.control.describe_stream(StreamName="gate-1")["StreamInfo"]
    assert (info["Status"], info["DataRetentionInHours"]) == ("ACTIVE", 2)
    assert info["StreamARN"].startswith("arn:aws:kinesisvideo:")
    pages = kvs.control.get_paginator("list_streams").paginate(
        StreamNameCondition={"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": "gate"},
        PaginationConfig={"PageSize": 1},
    )
    assert [s["StreamName"] for page in pages for s in page["StreamInfoList"]] == ["gate-1", "gate-2"]
    kvs.control.tag_stream(StreamName="yard", Tags={"floor": "2"})
    assert kvs.control.list_tags_for_stream(StreamName="yard")["Tags"] == {"site": "north", "floor": "2"}
    kvs.control.delete_stream(StreamARN=info["StreamARN"])
    with pytest.raises(kvs.control.exceptions.ResourceNotFoundException):
        kvs.control.describe_stream(StreamARN=info["StreamARN"])
    with pytest.raises(kvs.control.exceptions.ResourceInUseException):
        kvs.control.create_stream(StreamName="yard")


def test_retention_changes_only_with_the_current_version(kvs):
    kvs.create(hours=1)
    version = kvs.control.describe_stream(StreamName="gate")["StreamInfo"]["Version"]
    change = {"Operation": "INCREASE_DATA_RETENTION", "DataRetentionChangeInHours": 3}
    kvs.control.update_data_retention(StreamName="gate", CurrentVersion=version, **change)
    assert kvs.control.describe_stream(StreamName="gate")["StreamInfo"]["DataRetentionInHours"] == 4
    with pytest.raises(kvs.control.exceptions.VersionMismatchException):
        kvs.control.update_data_retention(StreamName="gate", CurrentVersion=version, **change)


def test_what_was_put_comes_back_frame_by_frame_with_its_times(kvs, clip):
    kvs.create()
    sent = kvs.put(clip, start=1_700_000_000.25)
    assert sent.fragments == 6
    found = get_media(kvs, StartSelectorType="EARLIEST")
    assert [len(fragment.frames) for fragment in found] == [10] * 6
    assert [f.producer_time for f in found] == pytest.approx([1_700_000_000.25 + n for n in range(6)])
    assert [bytes(f.data) for x in found for f in x.frames] == [bytes(f.data) for g in clip.groups for f in g]
    assert found[-1].number == sent.last_number == found[-1].continuation_token
    assert found[0].millis_behind >= found[-1].millis_behind == 0
    assert found[0].tracks[0].codec == "V_MPEG4/ISO/AVC"


def test_every_start_selector_begins_where_it_says(kvs, clip):
    kvs.create()
    start = time.time() - 6
    kvs.put(clip, start=start)
    numbers = [fragment.number for fragment in get_media(kvs, StartSelectorType="EARLIEST")]

    def begins(**selector):
        return [fragment.number for fragment in get_media(kvs, **selector)]

    assert begins(StartSelectorType="NOW") == []
    assert begins(StartSelectorType="FRAGMENT_NUMBER", AfterFragmentNumber=numbers[1]) == numbers[2:]
    assert begins(StartSelectorType="CONTINUATION_TOKEN", ContinuationToken=numbers[4]) == numbers[5:]
    at = datetime.fromtimestamp(start + 3.05, UTC)
    assert begins(StartSelectorType="PRODUCER_TIMESTAMP", StartTimestamp=at) == numbers[3:]
    later = datetime.fromtimestamp(time.time() + 60, UTC)
    assert begins(StartSelectorType="SERVER_TIMESTAMP", StartTimestamp=later) == []


def test_now_waits_for_what_comes_next(kvs, clip):
    kvs.create()
    kvs.put(clip)
    client = kvs.client("kinesis-video-media", "GET_MEDIA")
    payload = client.get_media(StreamName="gate", StartSelector={"StartSelectorType": "NOW"})["Payload"]
    kvs.wait(lambda state: state["streams"]["gate"]["readers"] == 1)
    kvs.put(clip)
    assert len(read_fragments(payload.read())) == 6


def test_the_archive_lists_and_gives_fragments(kvs, clip):
    kvs.create()
    start = time.time() - 6
    kvs.put(clip, start=start)
    client = kvs.client("kinesis-video-archived-media", "LIST_FRAGMENTS")
    pages = client.get_paginator("list_fragments").paginate(StreamName="gate", PaginationConfig={"PageSize": 4})
    listed = [fragment for page in pages for fragment in page["Fragments"]]
    assert len(listed) == 6
    assert {fragment["FragmentLengthInMilliseconds"] for fragment in listed} == {1000}
    span = {
        "StartTimestamp": datetime.fromtimestamp(start + 1.5, UTC),
        "EndTimestamp": datetime.fromtimestamp(start + 3.5, UTC),
    }
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": span}
    some = client.list_fragments(StreamName="gate", FragmentSelector=selector)["Fragments"]
    assert [f["FragmentNumber"] for f in some] == [f["FragmentNumber"] for f in listed[2:4]]
    media = kvs.client("kinesis-video-archived-media", "GET_MEDIA_FOR_FRAGMENT_LIST")
    wanted = [listed[4]["FragmentNumber"], listed[1]["FragmentNumber"]]
    body = media.get_media_for_fragment_list(StreamName="gate", Fragments=wanted)["Payload"].read()
    found = read_fragments(body, Framing.ARCHIVED)
    assert [fragment.number for fragment in found] == wanted
    assert all(len(fragment.frames) == 10 and fragment.server_time for fragment in found)


def test_a_stream_without_retention_has_no_archive(kvs, clip):
    kvs.create(hours=0)
    kvs.put(clip)
    assert len(get_media(kvs, StartSelectorType="EARLIEST")) == 6
    client = kvs.client("kinesis-video-archived-media", "LIST_FRAGMENTS")
    with pytest.raises(ClientError, match="NoDataRetention"):
        client.list_fragments(StreamName="gate")


def test_fragments_past_their_retention_go(kvs, clip):
    kvs.create(hours=1)
    kvs.put(clip)
    stream = kvs.emulator.store.streams["gate"]
    aged = [
        type(s)(**{n: getattr(s, n) for n in s.__slots__} | {"server_time": s.server_time - 3700})
        for s in stream.fragments
    ]
    stream.fragments[:4] = aged[:4]
    client = kvs.client("kinesis-video-archived-media", "LIST_FRAGMENTS")
    assert len(client.list_fragments(StreamName="gate")["Fragments"]) == 2


@pytest.mark.parametrize("container", ["MPEG_TS", "FRAGMENTED_MP4"])
def test_an_hls_session_plays_every_frame(kvs, clip, container):
    kvs.create()
    kvs.put(clip, start=1_700_000_000)
    client = kvs.client("kinesis-video-archived-media", "GET_HLS_STREAMING_SESSION_URL")
    span = {
        "StartTimestamp": datetime.fromtimestamp(1_700_000_000, UTC),
        "EndTimestamp": datetime.fromtimestamp(1_700_086_400, UTC),
    }
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": span}
    url = client.get_hls_streaming_session_url(
        StreamName="gate", PlaybackMode="ON_DEMAND", HLSFragmentSelector=selector, ContainerFormat=container
    )["HLSStreamingSessionURL"]
    with av.open(url, options={"allowed_extensions": "ALL", "extension_picky": "0"}) as played:
        assert sum(1 for _ in played.decode(video=0)) == 60
    master = urllib.request.urlopen(url).read().decode()
    media = urllib.request.urlopen(url.rpartition("/")[0] + "/" + master.splitlines()[-1]).read().decode()
    assert "#EXT-X-ENDLIST" in media
    assert re.findall("PROGRAM-DATE-TIME:(.*)", media)[0] == "2023-11-14T22:13:20.000000Z"
    forged = url.rpartition("=")[0] + "=forged"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(forged)


def test_hls_sessions_are_refused_as_the_service_refuses_them(kvs, clip):
    kvs.create()
    client = kvs.client("kinesis-video-archived-media", "GET_HLS_STREAMING_SESSION_URL")

    def open_session(mode, begin=None, end=None, kind="PRODUCER_TIMESTAMP"):
        span = {k: v for k, v in (("StartTimestamp", begin), ("EndTimestamp", end)) if v is not None}
        selector = {"FragmentSelectorType": kind} | ({"TimestampRange": span} if span else {})
        return client.get_hls_streaming_session_url(StreamName="gate", PlaybackMode=mode, HLSFragmentSelector=selector)

    with pytest.raises(client.exceptions.ResourceNotFoundException, match="No fragments found"):
        open_session("LIVE")
    kvs.put(clip, start=1_700_000_000)
    open_session("LIVE")
    stream = kvs.emulator.store.streams["gate"]
    stream.fragments[:] = [replace(stored, server_time=stored.server_time - 31) for stored in stream.fragments]
    for mode, begin, end in (("LIVE", None, None), ("ON_DEMAND", 1_500_000_000, 1_500_000_100)):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            open_session(mode, begin, end)
    for mode, begin, end, kind, why in (
        ("LIVE", 1.0, None, "PRODUCER_TIMESTAMP", "takes no TimestampRange"),
        ("ON_DEMAND", 1_700_000_000, None, "PRODUCER_TIMESTAMP", "needs"),
        ("ON_DEMAND", 1_700_000_000, 1_700_086_401, "PRODUCER_TIMESTAMP", "within 24 hours"),
        ("LIVE_REPLAY", time.time(), time.time() + 60, "SERVER_TIMESTAMP", "in the past"),
    ):
        with pytest.raises(client.exceptions.InvalidArgumentException, match=why):
            open_session(mode, begin, end, kind)
    assert open_session("ON_DEMAND", 1_700_000_000, 1_700_086_400)


def test_live_replay_shows_more_as_time_goes_by(kvs, clip):
    from inferfleet.localcloud.kvs.hls import Session

    kvs.create()
    kvs.put(clip, start=1_700_000_000)
    stream = kvs.emulator.store.streams["gate"]
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": {"StartTimestamp": 1}}

    def shown(seconds: float) -> list[str]:
        session = Session(stream, "LIVE_REPLAY", selector, True, time.time() - seconds, 0.0, 2)
        return [stored.number for stored in session.shown()]

    numbers = [stored.number for stored in stream.fragments]
    assert [shown(0), shown(2.5), shown(100)] == [numbers[:2], numbers[2:4], numbers[4:]]


def test_a_fourth_reader_is_refused_until_one_leaves(kvs, clip):
    kvs.create()
    kvs.put(clip)
    client = kvs.client("kinesis-video-media", "GET_MEDIA")

    def read():
        return client.get_media(StreamName="gate", StartSelector={"StartSelectorType": "NOW"})["Payload"]

    held = [read() for _ in range(3)]
    with pytest.raises(client.exceptions.ConnectionLimitExceededException):
        read()
    held[0]._raw_stream.close()
    kvs.wait(lambda state: state["streams"]["gate"]["readers"] < 3)
    read()


def test_a_sixth_call_within_a_second_is_throttled_and_one_after_it_is_not(kvs):
    kvs.create()
    client = kvs.client("kinesis-video-media", "GET_MEDIA")
    now = [0.0]
    kvs.emulator.rates = Rates(clock=lambda: now[0])

    def answer() -> str:
        try:
            client.get_media(StreamName="gate", StartSelector={"StartSelectorType": "NOW"})["Payload"].read()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "OK"

    assert [answer() for _ in range(6)] == ["OK"] * 5 + ["ClientLimitExceededException"]
    now[0] = 1.5
    assert answer() == "OK"


def test_wrong_calls_are_told(kvs):
    kvs.create()
    client = kvs.client("kinesis-video-media", "GET_MEDIA")
    with pytest.raises(client.exceptions.InvalidArgumentException, match="AfterFragmentNumber"):
        client.get_media(StreamName="gate", StartSelector={"StartSelectorType": "FRAGMENT_NUMBER"})
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_media(StreamName="nowhere", StartSelector={"StartSelectorType": "NOW"})
    stranger = boto3.client("kinesis-video-media", endpoint_url=f"{kvs.url}/s-ffffffff")
    with pytest.raises(client.exceptions.InvalidEndpointException):
        stranger.get_media(StreamName="gate", StartSelector={"StartSelectorType": "NOW"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{kvs.url}/listStreams", b"{}")


def test_the_fragments_that_hls_gives_hold_the_frames_untouched(kvs, clip):
    from inferfleet.localcloud.kvs.hls import remux

    kvs.create()
    kvs.put(clip)
    stored = kvs.emulator.store.streams["gate"].fragments[0]
    with av.open(io.BytesIO(remux(stored, "mp4"))) as file:
        assert [bytes(p) for p in file.demux() if p.size] == [bytes(f.data) for f in clip.groups[0]]

"""The PutMedia client against the emulator, with and without faults."""

from __future__ import annotations

import time

import pytest

from inferfleet.errors import InputError
from inferfleet.streams.kvs import errors, recording, writer
from inferfleet.streams.kvs.fragments import Track
from inferfleet.streams.kvs.put_media import Outgoing, Producer, RefusedFragmentError


class GiveUpError(Exception):
    """Ends a producer that would try again."""


def give_up(seconds: float) -> None:
    raise GiveUpError


def stored(kvs, stream: str = "gate") -> list[float]:
    return [round(fragment.producer_time, 3) for fragment in kvs.emulator.store.streams[stream].fragments]


def test_every_fragment_is_acknowledged_thrice(kvs, clip):
    kvs.create()
    acks = []
    kvs.put(clip, on_ack=acks.append)
    assert [ack.event for ack in acks] == ["BUFFERING", "RECEIVED", "PERSISTED"] * 6
    assert all(ack.number and ack.timecode for ack in acks)


@pytest.mark.parametrize(
    "fault",
    [
        "cut:call=PutMedia,after=3KB",
        "error:call=PutMedia,id=5000,after=2f",
        "end:call=PutMedia,after=2f",
        "throttle:call=PutMedia,times=2",
        "busy:call=PutMedia",
        "expired-endpoint:call=PutMedia",
        "expired-token:call=PutMedia",
        "broken:call=PutMedia,times=2",
        "throttle:call=GetDataEndpoint",
    ],
)
def test_what_a_fault_takes_away_is_sent_again_once(kvs, clip, fault):
    kvs.create()
    kvs.fault(fault)
    sent = kvs.put(clip, start=1_700_000_000, sleep=lambda seconds: None)
    assert sent.fragments == 6
    assert sorted(set(stored(kvs))) == [1_700_000_000 + n for n in range(6)]
    assert sum(kvs.state()["injected"].values()) >= 1


def test_a_second_producer_of_a_stream_is_refused(kvs, clip):
    kvs.create()
    first = Producer(kvs.account, "gate", clip.tracks)
    refused: list[Exception] = []

    def fragments():
        for number, (_, fragment) in enumerate(clip.outgoing(time.time())):
            yield fragment
            if number == 2:
                kvs.wait(lambda state: state["streams"]["gate"]["writers"] == 1)
                with pytest.raises(GiveUpError) as told:
                    Producer(kvs.account, "gate", clip.tracks, sleep=give_up).put(iter(()))
                refused.append(told.value.__context__)

    assert first.put(fragments()).fragments == 6
    assert [type(error) for error in refused] == [errors.TooManyConnectionsError]


def test_a_stream_that_is_not_there_is_told_at_once(kvs, clip):
    with pytest.raises(errors.StreamNotFoundError, match=r"nowhere.*check the stream's name"):
        kvs.put(clip, "nowhere", sleep=lambda seconds: pytest.fail("it must not try again"))


def test_a_fragment_that_the_service_refuses_is_not_sent_for_ever(kvs, clip):
    kvs.create()
    producer = Producer(kvs.account, "gate", clip.tracks, sleep=lambda seconds: pytest.fail("it must not try again"))
    late = [fragment for _, fragment in clip.outgoing(1_700_000_000)]
    with pytest.raises(RefusedFragmentError, match="FRAGMENT_TIMECODE_LESSER"):
        producer.put([late[3], late[1], late[2]])


def test_too_many_tracks_and_damaged_media_are_refused(kvs, clip):
    kvs.create()
    frames = writer.cluster(clip.groups[0])
    four = tuple(Track(number=n, kind=1, codec="V_MPEG4/ISO/AVC") for n in range(1, 5))
    with pytest.raises(RefusedFragmentError, match="MORE_THAN_ALLOWED_TRACKS"):
        Producer(kvs.account, "gate", four).put([Outgoing(0, frames)])
    with pytest.raises(RefusedFragmentError, match="INVALID_MKV"):
        Producer(kvs.account, "gate", clip.tracks).put([Outgoing(0, b"\x00" * 100)])


def test_a_loop_goes_on_in_time(clip):
    sent = clip.outgoing(1_700_000_000, loop=True)
    pairs = [next(sent) for _ in range(14)]
    codes = [fragment.timecode for _, fragment in pairs]
    assert codes == [1_700_000_000_000 + 1000 * n for n in range(14)]
    assert [when for when, _ in pairs] == pytest.approx([1_700_000_001 + n for n in range(14)])


def test_key_frames_too_far_apart_need_transcoding(tmp_path, clip_path):
    import av
    import numpy as np

    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=1, options={"g": "100", "sc_threshold": "0", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for n in range(30):
            file.mux(video.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * n, np.uint8), "rgb24")))
        file.mux(video.encode(None))
    with pytest.raises(InputError, match=r"30 s without a key frame.*--transcode"):
        recording.read(path)
    again = recording.read(path, transcode=True)
    assert len(again.groups) == 15
    assert sum(map(len, again.groups)) == 30


def test_what_is_no_video_is_told(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(InputError, match=r"notes.txt.*cannot be read as a video"):
        recording.read(path)

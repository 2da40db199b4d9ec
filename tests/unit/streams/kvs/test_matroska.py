"""The reader on bodies as the service sends them: what comes out, when, and with which times."""

from __future__ import annotations

import random
from pathlib import Path

import av
import pytest

from inferfleet.streams.kvs import ebml, errors, fragments, writer
from inferfleet.streams.kvs.ebml import Id
from inferfleet.streams.kvs.fragments import Clock, Fragment, Frame, Track
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader

DUMPS = {"output_get_media.mkv": (5, 300), "output_get_media_sparse_fragments.mkv": (3, 180)}


@pytest.mark.parametrize("chunk", [1, 1024, 64 * 1024, 0], ids=["1B", "1KiB", "64KiB", "whole"])
@pytest.mark.parametrize("name", DUMPS)
def test_a_real_dump_gives_all_its_fragments_and_frames_in_chunks_of_any_size(shared_data, read, name, chunk):
    found = read((shared_data / "kvs" / name).read_bytes(), chunk)
    assert all(isinstance(item, Fragment) for item in found)
    assert (len(found), sum(len(item.frames) for item in found)) == DUMPS[name]


@pytest.mark.parametrize("name", DUMPS)
def test_every_frame_of_a_real_dump_can_be_decoded(shared_data, read, name):
    decoded = 0
    for fragment in read((shared_data / "kvs" / name).read_bytes(), 64 * 1024):
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = fragment.tracks[0].private
        pictures = [p for frame in fragment.frames for p in decoder.decode(av.Packet(frame.data))] + decoder.decode(
            None
        )
        assert {(p.width, p.height) for p in pictures} == {(640, 360)}
        decoded += len(pictures)
    assert decoded == DUMPS[name][1]


def test_a_real_dump_carries_numbers_times_tokens_and_lag(shared_data, read):
    found = read((shared_data / "kvs" / "output_get_media.mkv").read_bytes(), 4096)
    first = found[0]
    assert first.number == first.continuation_token == "91343852333181432392682062607743920146159169392"
    assert (first.producer_time, first.server_time, first.millis_behind) == (1511852108.513, 1511852109.126, 15858)
    assert first.clock is Clock.PRODUCER
    assert first.frames[0].time == 1511852108.513
    assert [f.keyframe for f in first.frames].index(True) == 0
    times = [frame.time for fragment in found for frame in fragment.frames]
    assert times == sorted(times)
    assert [fragment.number for fragment in found] == sorted(fragment.number for fragment in found)


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_cut_at_any_byte_gives_every_fragment_that_was_complete(shared_data, name):
    body = (shared_data / "kvs" / name).read_bytes()
    whole, ends = MatroskaReader(), []
    for at in range(0, len(body), 512):
        ends += [at + 512] * len(whole.feed(body[at : at + 512]))
    chance = random.Random(7)
    cuts = {chance.randrange(len(body)) for _ in range(60)} | {end + d for end in ends for d in (-1100, -513, 0, 1)}
    reader = MatroskaReader()
    read_up_to, complete = 0, 0
    for cut in sorted(cuts):
        complete += len(reader.feed(body[read_up_to:cut]))
        read_up_to = max(cut, read_up_to)
        sure = sum(end <= cut for end in ends)
        possible = sum(end - 512 < cut for end in ends)
        assert sure <= complete <= possible
        assert not reader.finish()


def test_a_body_cut_at_every_byte_gives_what_was_complete_and_no_error(any_bodies, read):
    parts = [any_bodies.fragment(n, tags={"door": "open"}) for n in range(3)]
    body = b"".join(parts)
    ends = [len(parts[0]), len(parts[0]) + len(parts[1]), len(body)]
    for cut in range(len(body) + 1):
        found = read(body[:cut])
        assert len(found) == sum(end <= cut for end in ends)
        assert all(isinstance(item, Fragment) for item in found)


def test_a_fragment_comes_out_with_the_last_byte_of_its_closing_tags(any_bodies):
    reader = MatroskaReader()
    body = any_bodies.fragment(0)
    assert [len(reader.feed(body[at : at + 1])) for at in range(len(body))] == [0] * (len(body) - 1) + [1]


def test_known_and_unknown_cluster_sizes_read_alike(bodies, read):
    sized = read(bodies.fragment(0) + bodies.fragment(1))
    bodies.sized = False
    unsized = read(bodies.fragment(0) + bodies.fragment(1))
    assert [[bytes(f.data) for f in x.frames] for x in sized] == [[bytes(f.data) for f in x.frames] for x in unsized]
    assert len(sized) == 2


def test_frames_hold_their_bytes_track_time_and_keyframe_flag(any_bodies, read):
    frames = any_bodies.frames(3, timecode=5000)
    (found,) = read(any_bodies.fragment(0, frames))
    assert [bytes(f.data) for f in found.frames] == [bytes(f.data) for f in frames]
    assert [f.keyframe for f in found.frames] == [True, False, False]
    assert [f.timecode for f in found.frames] == [5_000_000_000, 5_040_000_000, 5_080_000_000]
    assert [f.time for f in found.frames] == pytest.approx([1_700_000_000.0, 1_700_000_000.04, 1_700_000_000.08])
    with pytest.raises(TypeError):
        found.frames[0].data[0] = 0


def test_frames_keep_their_bytes_while_the_reader_goes_on(bodies):
    reader = MatroskaReader()
    (first,) = reader.feed(bodies.fragment(0, bodies.frames(50, 2000)))
    before = [bytes(f.data) for f in first.frames]
    for number in range(1, 20):
        reader.feed(bodies.fragment(number, bodies.frames(50, 3000)))
    assert [bytes(f.data) for f in first.frames] == before


def test_the_producers_tags_are_apart_from_the_services(any_bodies, read):
    (found,) = read(any_bodies.fragment(0, tags={"door": "öffen", "gate": "7"}))
    assert found.tags == {"door": "öffen", "gate": "7"}


def test_several_tracks_with_their_codec_private_data(any_bodies, read):
    audio = Track(number=2, kind=2, codec="A_AAC", private=b"\x12\x10", name="mic", sample_rate=8000.0, channels=1)
    hevc = Track(number=1, kind=1, codec="V_MPEGH/ISO/HEVC", private=b"hvcC", width=3840, height=2160)
    any_bodies.tracks = (hevc, audio)
    sound = [Frame(2, n * 64_000_000, None, True, memoryview(b"aac%d" % n)) for n in range(2)]
    (found,) = read(any_bodies.fragment(0, sorted(any_bodies.frames() + sound, key=lambda f: f.timecode)))
    assert found.tracks == (hevc, audio)
    assert [bytes(f.data) for f in found.frames if f.track == 2] == [b"aac0", b"aac1"]
    assert found.track(2) == audio
    assert found.track(3) is None


@pytest.mark.parametrize(
    ("producer", "server", "start", "clock"),
    [
        ("1700000000.250", "1700000001.500", 1700000000.25, Clock.PRODUCER),
        ("0.000", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("1699000000.000", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("1709000000.000", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("nonsense", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("nan", "1700000001.500", 1700000001.5, Clock.SERVER),
        ("1700000000.250", "", 1700000000.25, Clock.PRODUCER),
        ("", "", None, Clock.NONE),
    ],
)
def test_frames_get_producer_time_unless_it_is_absent_or_absurd(bodies, read, *, producer, server, start, clock):
    (found,) = read(bodies.fragment(0, PRODUCER_TIMESTAMP=producer, SERVER_TIMESTAMP=server))
    assert (found.start, found.clock) == (start, clock)
    assert found.frames[0].time == start
    if start:
        assert found.frames[1].time == pytest.approx(start + 0.04)


def test_how_far_the_clocks_may_be_apart_can_be_chosen(bodies, read):
    body = bodies.fragment(0, PRODUCER_TIMESTAMP="1699000000.000")
    assert read(body, max_skew=2e6)[0].clock is Clock.PRODUCER
    assert read(body, max_skew=60)[0].clock is Clock.SERVER


def test_timecodes_that_repeat_or_run_backwards_do_not_bend_the_times(bodies, read):
    body = b"".join(bodies.fragment(n, bodies.frames(timecode=t)) for n, t in enumerate((9000, 9000, 1000)))
    assert [x.frames[0].time for x in read(body)] == [1_700_000_000, 1_700_000_002, 1_700_000_004]


def test_a_fragment_whose_continuation_token_is_missing_comes_out_all_the_same(bodies, read):
    tags = writer.tags({fragments.MILLIS_BEHIND_NOW: "12"})
    body = bodies.head(0) + writer.cluster(bodies.frames()) + tags
    (found,) = read(body)
    assert (found.continuation_token, found.millis_behind) == ("", 12)


def test_a_fragment_without_closing_tags_comes_out_when_its_cluster_was_whole(bodies, read):
    cut = bodies.head(0) + writer.cluster(bodies.frames())
    found = read(cut + bodies.fragment(1))
    assert [len(item.frames) for item in found] == [4, 4]


def test_a_truncated_fragment_is_reported_and_the_next_one_read(any_bodies, read):
    cut = any_bodies.head(0) + writer.cluster(any_bodies.frames(), sized=any_bodies.sized)[:-60]
    damage, *found = read(cut + any_bodies.fragment(1))
    assert isinstance(damage, errors.DamageError)
    assert [item.number for item in found] == [read(any_bodies.fragment(1))[0].number]


def test_cues_voids_and_checksums_are_passed_over(any_bodies, read):
    extra = ebml.element(Id.CRC_32, b"abcd") + ebml.element(Id.VOID, bytes(300))
    media = writer.cluster(any_bodies.frames(), sized=any_bodies.sized)
    body = any_bodies.head(0) + extra + media + ebml.element(Id.CUES, bytes(99)) + any_bodies.closing(0) + extra
    found = read(body + any_bodies.fragment(1), 7)
    assert [len(item.frames) for item in found] == [4, 4]


def test_closing_tags_without_media_are_no_fragment(bodies, read):
    assert [x.number for x in read(bodies.head(0) + bodies.closing(0) + bodies.fragment(1))] == [
        read(bodies.fragment(1))[0].number
    ]


@pytest.mark.parametrize(
    ("id", "kind", "lasting"),
    [
        (3002, errors.StreamWriteError, False),
        (4000, errors.FragmentGoneError, False),
        *((id, errors.KmsError, True) for id in range(4500, 4507)),
        (5000, errors.ServiceInternalError, False),
        (9999, errors.StreamError, False),
    ],
)
def test_error_tags_inside_a_body_become_typed_errors(any_bodies, read, id, kind, lasting):
    tags = writer.tags({fragments.ERROR_ID: str(id), fragments.ERROR_CODE: "WHY"})
    fragment, error = read(any_bodies.fragment(0) + any_bodies.head(1) + tags)
    assert isinstance(fragment, Fragment)
    assert type(error) is kind
    assert (error.id, error.code, error.lasting) == (id, "WHY", lasting)
    assert str(id) in str(error)
    assert "WHY" in str(error)


def test_an_archived_body_ends_its_last_fragment_by_ending(bodies, read):
    parts = [bodies.head(n) + writer.cluster(bodies.frames()) for n in range(3)]
    found = read(b"".join(parts), 100, Framing.ARCHIVED)
    assert [len(item.frames) for item in found] == [4, 4, 4]
    damage = read(b"".join(parts)[:-1], 100, Framing.ARCHIVED)[-1]
    assert isinstance(damage, errors.DamageError)


def test_the_archives_name_for_server_time_is_understood(bodies, read):
    body = bodies.fragment(0, SERVER_TIMESTAMP="", PRODUCER_TIMESTAMP="", SERVER_SIDE_TIMESTAMP="1700000003.5")
    assert read(body, 0, Framing.ARCHIVED)[0].start == 1700000003.5


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("live", ["0", "1"], ids=["sized", "live"])
def test_a_file_of_another_muxer_gives_the_packets_that_ffmpeg_reads(tmp_path, read, codec, live):
    path = tmp_path / "clip.mkv"
    record(path, codec, live)
    with av.open(str(path)) as file:
        expected = sorted((p.stream_index + 1, float(p.pts * p.time_base), bytes(p)) for p in file.demux() if p.size)
        private = [bytes(stream.codec_context.extradata or b"") for stream in file.streams]
    found = read(path.read_bytes(), 1000, Framing.PUT_MEDIA)
    assert all(isinstance(item, Fragment) for item in found)
    assert len(found) > 1
    actual = sorted((f.track, f.timecode / 1e9, bytes(f.data)) for x in found for f in x.frames)
    assert [a[::2] for a in actual] == [e[::2] for e in expected]
    # FFmpeg takes the audio encoder's delay off the sound's times, which the service does not.
    assert [a[1] for a in actual if a[0] == 1] == pytest.approx([e[1] for e in expected if e[0] == 1], abs=1e-3)
    assert [track.private for track in found[0].tracks] == private


def record(path: Path, codec: str, live: str) -> None:
    """Two seconds of moving picture and sound."""
    import numpy as np

    with av.open(str(path), "w", options={"live": live, "cluster_time_limit": "500"}) as file:
        video = file.add_stream(
            codec, rate=25, options={"g": "12", "preset": "ultrafast", "x265-params": "log-level=none"}
        )
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = file.add_stream("aac", rate=16000)
        for n in range(50):
            picture = np.full((64, 64, 3), 4 * n, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        for n in range(30):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 16000, 1024 * n
            file.mux(audio.encode(sound))
        file.mux(video.encode(None))
        file.mux(audio.encode(None))

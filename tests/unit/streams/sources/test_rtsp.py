"""RTSP against a real server on a real socket, well and badly behaved."""

from __future__ import annotations

import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from inferfleet.config.sources import RtspSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame
from inferfleet.streams.sources.base import SourceError, StalledError
from inferfleet.streams.sources.rtsp import RtspReader
from tests.media.clips import Clip, number_in
from tests.media.faults import Fault
from tests.media.rtsp_server import Account, RtspServer

CLIP = Clip(fps=50)
SECRET = "s3cret/@:?"


def reader(server: RtspServer, fps: float | None = None, **config: Any) -> RtspReader:
    return RtspReader("gate", RtspSource(url=server.url, **{"timeout": 5, **config}), fps_target=fps)


def first(source: RtspReader, count: int) -> list[Frame]:
    frames = source.frames(None)
    found = list(islice(frames, count))
    source.interrupt()
    frames.close()  # type: ignore[attr-defined]
    return found


@pytest.fixture(params=["libx264", "libx265"])
def server(request: pytest.FixtureRequest) -> Iterator[RtspServer]:
    with RtspServer(Clip(request.param, fps=50)) as server:
        yield server


def test_frames_come_in_order_beyond_the_clips_end(server: RtspServer) -> None:
    source = reader(server)
    frames = first(source, 80)
    assert [number_in(frame.picture) for frame in frames] == [n % 60 for n in range(80)]
    assert [frame.position.frame for frame in frames] == list(range(80))
    assert source.is_live
    assert source.skipped == 0


def test_tokens_of_two_connections_differ(server: RtspServer) -> None:
    tokens = {frame.position.token for _ in range(2) for frame in first(reader(server), 5)}
    assert len(tokens) == 10


def test_the_target_rate_is_kept_and_the_rest_counted(server: RtspServer) -> None:
    source = reader(server, fps=10)
    frames = first(source, 8)
    numbers = [frame.position.frame for frame in frames]
    assert [number_in(frame.picture) for frame in frames] == [n % 60 for n in numbers]
    assert {b - a for a, b in pairwise(numbers[1:])} == {5}
    assert source.skipped == numbers[-1] - 7


def test_capture_time_is_the_cameras_clock_when_it_tells_it() -> None:
    taken = time.time() - 1000
    with RtspServer(CLIP, wall_clock=taken) as server:
        frames = first(reader(server), 10)
    assert [frame.time.timestamp() - taken for frame in frames[2:]] == pytest.approx(
        [n / 50 for n in range(2, 10)], abs=0.003
    )


@pytest.mark.parametrize("clock", [None, 86_400.0])
def test_capture_time_is_the_arrival_when_the_cameras_clock_is_unknown_or_was_never_set(clock: float | None) -> None:
    before = time.time()
    with RtspServer(CLIP, wall_clock=clock) as server:
        frames = first(reader(server), 5)
    assert all(before <= frame.time.timestamp() <= time.time() for frame in frames)


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_a_camera_with_a_password_is_read(kind: Any) -> None:
    with RtspServer(CLIP, account=Account(kind, "user@site", SECRET)) as server:
        assert len(first(reader(server, username="user@site", password=SecretStr(SECRET)), 3)) == 3


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_a_wrong_password_is_told_without_telling_it(kind: Any) -> None:
    with RtspServer(CLIP, account=Account(kind, "admin", "other")) as server, pytest.raises(SourceError) as caught:
        first(reader(server, username="admin", password=SecretStr(SECRET)), 1)
    told = "".join(traceback.format_exception(caught.value))
    assert "check its user name and password" in told
    assert f"rtsp://127.0.0.1:{server.port}/live" in told
    assert SECRET not in told


def test_nobody_at_the_address_is_told() -> None:
    with RtspServer(CLIP) as server:
        source = reader(server)
    with pytest.raises(SourceError, match=r"rtsp://127.*refused"):
        first(source, 1)


def test_a_server_that_never_answers_counts_as_stalled() -> None:
    with RtspServer(CLIP, silent=True) as server, pytest.raises(StalledError):
        first(reader(server, timeout=0.5), 1)


def test_a_camera_that_stops_sending_counts_as_stalled() -> None:
    with RtspServer(CLIP, fault=Fault("stall", after=20)) as server:
        frames: list[Frame] = []
        with pytest.raises(StalledError):
            frames.extend(reader(server, timeout=0.5).frames(None))


def test_what_came_before_a_broken_connection_is_delivered() -> None:
    with RtspServer(CLIP, fault=Fault("close", after=30)) as server:
        source = reader(server)
        numbers = []
        try:
            for frame in source.frames(None):
                numbers.append(number_in(frame.picture))
        except SourceError:
            pass
    assert numbers[:28] == list(range(28))
    assert source.is_live


def test_garbage_ends_the_connection_and_shows_no_black_picture() -> None:
    with RtspServer(CLIP, fault=Fault("garbage", after=20)) as server:
        source = reader(server, timeout=1)
        pictures = 0
        # FFmpeg takes some garbage for a fault and some for a goodbye; the camera is connected anew either way.
        with suppress(SourceError):
            for frame in source.frames(None):
                pictures += 1
                assert frame.picture.bgr().max() > 100
        assert pictures >= 15
        assert source.is_live


def test_a_change_of_size_goes_on_without_a_gap() -> None:
    with RtspServer(Clip(fps=50, frames=24), then=Clip(fps=50, frames=24, first=24, size=(288, 160))) as server:
        frames = first(reader(server), 48)
    assert [number_in(frame.picture) for frame in frames] == list(range(48))
    assert {(f.picture.width, f.picture.height) for f in frames} == {(192, 128), (288, 160)}


@pytest.mark.parametrize("fault", [Fault("stall", after=5), None])
def test_an_interrupt_ends_reading_while_the_camera_is_silent(fault: Fault | None) -> None:
    with RtspServer(CLIP, fault=fault, silent=fault is None) as server:
        source = reader(server, timeout=300)
        thread = threading.Thread(target=lambda: list(source.frames(None)))
        thread.start()
        assert server.connected.wait(20)
        source.interrupt()
        thread.join(20)
        assert not thread.is_alive()


def test_frames_come_in_order_over_udp_with_the_cameras_clock() -> None:
    taken = time.time() - 1000
    with RtspServer(CLIP, wall_clock=taken) as server:
        frames = first(reader(server, transport="udp"), 80)
    assert "client_port=" in server.transports[0]
    assert [number_in(frame.picture) for frame in frames] == [n % 60 for n in range(80)]
    assert [frame.time.timestamp() - taken for frame in frames[2:]] == pytest.approx(
        [n / 50 for n in range(2, 80)], abs=0.003
    )


def test_a_camera_that_stops_sending_over_udp_counts_as_stalled() -> None:
    with RtspServer(CLIP, fault=Fault("stall", after=10)) as server, pytest.raises(StalledError):
        list(reader(server, transport="udp", timeout=1).frames(None))


def test_an_encrypted_camera_is_read_and_trusted_only_as_far_as_is_asked(tmp_path: Path) -> None:
    own, other = (certificate(tmp_path / f"{name}.pem") for name in ("own", "other"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    with RtspServer(CLIP, tls=context) as server:
        for options in ({}, {"ca_file": own}):
            frames = first(reader(server, **options), 10)
            assert [number_in(frame.picture) for frame in frames] == list(range(10))
        with pytest.raises(SourceError, match="rtsps://"):
            first(reader(server, ca_file=other), 1)
        with pytest.raises(InputError, match=r"none\.pem is not there"):
            first(reader(server, ca_file=tmp_path / "none.pem"), 1)


def certificate(path: Path) -> Path:
    """Writes a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    now, day = datetime.now(UTC), timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    return path

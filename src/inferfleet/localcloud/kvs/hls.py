"""HLS sessions: the URL, its playlists, and fragments remuxed to MPEG-TS or fragmented MP4."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from inferfleet.localcloud.kvs.archive import archived, selected
from inferfleet.localcloud.kvs.errors import ServiceError, invalid
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Stored, Stream

if TYPE_CHECKING:
    from av.packet import Packet

_MIN_EXPIRES, _MAX_EXPIRES = 300, 43_200
_LIVE_FRAGMENTS = 5
_PLAYLIST = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class Session:
    """An HLS session.

    Attributes:
        stream: What it plays.
        mode: LIVE, LIVE_REPLAY or ON_DEMAND.
        selector: The HLSFragmentSelector.
        is_mp4: Fragmented MP4 rather than MPEG-TS.
        expires: In seconds of `time.time()`.
        count: Most fragments of a media playlist.
    """

    stream: Stream
    mode: str
    selector: dict[str, Any]
    is_mp4: bool
    expires: float
    count: int


async def open_session(emulator: Emulator, request: Request) -> dict[str, str]:
    """GetHLSStreamingSessionURL.

    Raises:
        ServiceError: The call is refused, or the stream holds nothing that HLS can play.
    """
    parameters = await emulator.parameters(request)
    stream = archived(emulator, "GetHLSStreamingSessionURL", parameters, request)
    mode = parameters.get("PlaybackMode", "LIVE")
    expires = int(parameters.get("Expires", _MIN_EXPIRES))
    selector = parameters.get("HLSFragmentSelector") or {}
    if mode not in ("LIVE", "LIVE_REPLAY", "ON_DEMAND"):
        raise invalid(f"PlaybackMode {mode!r} does not exist.")
    if not _MIN_EXPIRES <= expires <= _MAX_EXPIRES:
        raise invalid(f"Expires must be between {_MIN_EXPIRES} and {_MAX_EXPIRES} seconds.")
    if mode != "LIVE" and not selector.get("TimestampRange"):
        raise invalid(f"PlaybackMode {mode} needs HLSFragmentSelector.TimestampRange.")
    newest = stream.fragments[-1] if stream.fragments else None
    if newest is None:
        raise ServiceError("ResourceNotFoundException", "No fragments found in the stream.", 404)
    if not newest.tracks[0].codec.startswith(("V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC")):
        raise ServiceError("UnsupportedStreamMediaTypeException", f"HLS cannot play {newest.tracks[0].codec}.")
    if not newest.tracks[0].private:
        raise ServiceError("MissingCodecPrivateDataException", "The video track has no codec private data.")
    token = secrets.token_urlsafe(24)
    count = int(parameters.get("MaxMediaPlaylistFragmentResults") or (_LIVE_FRAGMENTS if mode == "LIVE" else 1000))
    is_mp4 = parameters.get("ContainerFormat", "FRAGMENTED_MP4") == "FRAGMENTED_MP4"
    emulator.sessions[token] = Session(stream, mode, selector, is_mp4, time.time() + expires, count)
    base = f"{request.url.scheme}://{request.url.netloc}"
    return {"HLSStreamingSessionURL": f"{base}/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken={token}"}


def _session(emulator: Emulator, request: Request) -> Session:
    found = cast("Session | None", emulator.sessions.get(request.query_params.get("SessionToken", "")))
    if found is None or found.expires < time.time():
        raise ServiceError("NotAuthorizedException", "The HLS session does not exist or has expired.", 403)
    return found


async def master(emulator: Emulator, request: Request) -> Response:
    """The master playlist."""
    session = _session(emulator, request)
    track = session.stream.fragments[-1].tracks[0]
    size = f",RESOLUTION={track.width}x{track.height}" if track.width else ""
    body = f"#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-STREAM-INF:BANDWIDTH=2000000{size}\n"
    return PlainTextResponse(body + f"getHLSMediaPlaylist.m3u8?{request.url.query}\n", media_type=_PLAYLIST)


async def playlist(emulator: Emulator, request: Request) -> Response:
    """The media playlist."""
    session = _session(emulator, request)
    emulator.store.expire(session.stream)
    kept = session.stream.fragments
    found = kept[-session.count :] if session.mode == "LIVE" else selected(session.stream, session.selector)
    found = found[: session.count]
    first = kept.index(found[0]) if found else 0
    longest = max((stored.duration_ms for stored in found), default=1000) / 1000
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{max(1, round(longest + 0.5))}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first + 1}")
    if session.mode == "ON_DEMAND":
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    lines += _segments(found, session.is_mp4, request.url.query)
    if session.mode == "ON_DEMAND":
        lines.append("#EXT-X-ENDLIST")
    return PlainTextResponse("\n".join(lines) + "\n", media_type=_PLAYLIST)


def _segments(found: Sequence[Stored], is_mp4: bool, query: str) -> list[str]:
    lines: list[str] = []
    tracks = None
    for stored in found:
        where = f"FragmentNumber={stored.number}&{query}"
        if tracks is not None and stored.tracks != tracks:
            lines.append("#EXT-X-DISCONTINUITY")
        if is_mp4 and stored.tracks != tracks:
            lines.append(f'#EXT-X-MAP:URI="getMP4InitFragment.mp4?{where}"')
        tracks = stored.tracks
        lines.append(
            f"#EXT-X-PROGRAM-DATE-TIME:{datetime.fromtimestamp(stored.producer_time, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        )
        lines.append(f"#EXTINF:{stored.duration_ms / 1000:.3f},")
        lines.append(f"{'getMP4MediaFragment.mp4' if is_mp4 else 'getTSFragment.ts'}?{where}")
    return lines


async def segment(emulator: Emulator, request: Request) -> Response:
    """A fragment, or its initialisation."""
    session = _session(emulator, request)
    number = request.query_params.get("FragmentNumber")
    stored = next((s for s in session.stream.fragments if s.number == number), None)
    if stored is None:
        raise ServiceError("ResourceNotFoundException", f"Fragment {number} is not in the stream.", 404)
    if not session.is_mp4:
        return Response(remux(stored, "mpegts"), media_type="video/MP2T")
    whole = remux(stored, "mp4")
    split = whole.index(b"moof") - 4
    is_init = request.url.path.endswith("getMP4InitFragment.mp4")
    return Response(whole[:split] if is_init else whole[split:], media_type="video/mp4")


def remux(stored: Stored, container: str) -> bytes:
    """A fragment in another container, its frames untouched."""
    import av

    # Without an edit list each fragment says its absolute decode time, so that they play one after the other.
    flags = "empty_moov+default_base_moof+frag_keyframe+frag_discont"
    options = {"movflags": flags, "use_editlist": "0", "avoid_negative_ts": "disabled"} if container == "mp4" else {}
    out = io.BytesIO()
    media = io.BytesIO(stored.opening + stored.cluster)
    with (
        av.open(media, "r", format="matroska") as source,
        av.open(out, "w", format=container, options=options) as target,
    ):
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        packets = [packet for packet in source.demux() if packet.size]
        for stream in source.streams:
            _set_decode_times([packet for packet in packets if packet.stream is stream])
        for packet in packets:
            packet.stream = streams[packet.stream.index]
            target.mux(packet)
    return out.getvalue()


def _set_decode_times(packets: list[Packet[Any]]) -> None:
    """Gives packets the decode times that Matroska does not have: in order, and none behind its presentation."""
    shown = [packet.pts or 0 for packet in packets]
    ordered = sorted(shown)
    lead = max((early - late for early, late in zip(ordered, shown, strict=True)), default=0)
    for packet, when in zip(packets, ordered, strict=True):
        packet.dts = when - lead

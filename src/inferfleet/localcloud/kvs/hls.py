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
_LIVE_FRAGMENTS, _RECORDED_FRAGMENTS, _MOST_FRAGMENTS = 5, 1000, 5000
_LIVE_S, _DAY_S = 30.0, 86_400.0
"""A live session needs a fragment as young as that; a session of what is recorded may span a day."""
_PLAYLIST = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class Session:
    """An HLS session.

    Attributes:
        stream: What it plays.
        mode: LIVE, LIVE_REPLAY or ON_DEMAND.
        selector: The HLSFragmentSelector.
        is_mp4: Fragmented MP4 rather than MPEG-TS.
        opened: In seconds of `time.time()`.
        expires: In seconds of `time.time()`.
        count: Most fragments of a media playlist.
    """

    stream: Stream
    mode: str
    selector: dict[str, Any]
    is_mp4: bool
    opened: float
    expires: float
    count: int

    @property
    def is_by_producer(self) -> bool:
        """Whose times select fragments and stand in the playlist."""
        return self.selector.get("FragmentSelectorType") == "PRODUCER_TIMESTAMP"

    def shown(self) -> list[Stored]:
        """The fragments of the media playlist, now."""
        if self.mode == "LIVE":
            return self.stream.fragments[-self.count :]
        found = selected(self.stream, self.selector)
        if self.mode == "ON_DEMAND":
            return found[: self.count]
        # Live replay goes at the pace at which the stream was recorded.
        end, elapsed = min(self.count, len(found)), (time.time() - self.opened) * 1000
        while end < len(found) and (elapsed := elapsed - found[end].duration_ms) >= 0:
            end += 1
        return found[max(0, end - self.count) : end]


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
    _check_span(mode, selector)
    count = int(
        parameters.get("MaxMediaPlaylistFragmentResults")
        or (_RECORDED_FRAGMENTS if mode == "ON_DEMAND" else _LIVE_FRAGMENTS)
    )
    if not 1 <= count <= _MOST_FRAGMENTS:
        raise invalid(f"MaxMediaPlaylistFragmentResults must be between 1 and {_MOST_FRAGMENTS}.")
    is_mp4 = parameters.get("ContainerFormat", "FRAGMENTED_MP4") == "FRAGMENTED_MP4"
    now = time.time()
    session = Session(stream, mode, selector, is_mp4, now, now + expires, count)
    shown = session.shown()
    if not shown or (mode == "LIVE" and shown[-1].server_time < now - _LIVE_S):
        raise ServiceError("ResourceNotFoundException", "No fragments found in the stream for the session.", 404)
    newest = shown[-1]
    if not newest.tracks[0].codec.startswith(("V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC")):
        raise ServiceError("UnsupportedStreamMediaTypeException", f"HLS cannot play {newest.tracks[0].codec}.")
    if not newest.tracks[0].private:
        raise ServiceError("MissingCodecPrivateDataException", "The video track has no codec private data.")
    token = secrets.token_urlsafe(24)
    emulator.sessions[token] = session
    base = f"{request.url.scheme}://{request.url.netloc}"
    return {"HLSStreamingSessionURL": f"{base}/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken={token}"}


def _check_span(mode: str, selector: dict[str, Any]) -> None:
    """Sees that the time range is as the mode needs it.

    Raises:
        ServiceError: It is missing, not allowed, longer than a day or the wrong way round.
    """
    span = selector.get("TimestampRange") or {}
    if mode == "LIVE":
        if span:
            raise invalid("PlaybackMode LIVE takes no TimestampRange.")
        return
    begin, end = span.get("StartTimestamp"), span.get("EndTimestamp")
    if begin is None or (end is None and mode == "ON_DEMAND"):
        raise invalid(f"PlaybackMode {mode} needs a HLSFragmentSelector.TimestampRange.")
    if end is None:
        return
    if not begin < end <= begin + _DAY_S:
        raise invalid("EndTimestamp must be later than StartTimestamp, and within 24 hours of it.")
    if selector.get("FragmentSelectorType") == "SERVER_TIMESTAMP" and end > time.time():
        raise invalid("EndTimestamp must be in the past.")


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
    found = session.shown()
    first = kept.index(found[0]) if found else 0
    longest = max((stored.duration_ms for stored in found), default=1000) / 1000
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{max(1, round(longest + 0.5))}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first + 1}")
    if session.mode == "ON_DEMAND":
        lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    lines += _segments(found, session, request.url.query)
    if session.mode == "ON_DEMAND":
        lines.append("#EXT-X-ENDLIST")
    return PlainTextResponse("\n".join(lines) + "\n", media_type=_PLAYLIST)


def _segments(found: Sequence[Stored], session: Session, query: str) -> list[str]:
    lines: list[str] = []
    tracks = None
    for stored in found:
        where = f"FragmentNumber={stored.number}&{query}"
        if tracks is not None and stored.tracks != tracks:
            lines.append("#EXT-X-DISCONTINUITY")
        if session.is_mp4 and stored.tracks != tracks:
            lines.append(f'#EXT-X-MAP:URI="getMP4InitFragment.mp4?{where}"')
        tracks = stored.tracks
        begin = datetime.fromtimestamp(stored.producer_time if session.is_by_producer else stored.server_time, UTC)
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{begin:%Y-%m-%dT%H:%M:%S.%fZ}")
        lines.append(f"#EXTINF:{stored.duration_ms / 1000:.3f},")
        lines.append(f"{'getMP4MediaFragment.mp4' if session.is_mp4 else 'getTSFragment.ts'}?{where}")
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

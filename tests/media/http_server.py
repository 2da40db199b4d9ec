"""An HTTP server for MJPEG, MPEG-TS and HLS, with faults."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.media.clips import Clip, jpegs, mux, transport_stream
from tests.media.faults import Fault

_BOUNDARY = "frame"
_CHUNK = 188 * 7
_WINDOW = 3
"""Segments in a playlist that slides."""


@dataclass
class HttpServer:
    """Serves a clip at `url`, again from its beginning for each connection.

    Attributes:
        kind: `mjpeg` (for ever, at the clip's rate), `mpegts` (the clip once at its rate, then the end), `mp4`
            (a file with a length), `hls` (a finished playlist), or `hls-live` (a playlist that begins with the first
            three clips, and from then on shows the next one, and the oldest no more, each time it is asked for).
        clips: What is sent.
        fault: What goes wrong, counted in pictures for MJPEG and in packets of 1,316 bytes for MPEG-TS.
        headers: What a request must carry; anything else is answered with 401.
        folder: Where the segments of HLS and the MP4 file are written.
        silent: Sends no answer at all.
    """

    kind: Literal["mjpeg", "mpegts", "mp4", "hls", "hls-live"]
    clips: list[Clip]
    fault: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    silent: bool = False
    connections: int = 0
    shown: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> HttpServer:
        self._prepare()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.connections += 1
                try:
                    outer._answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                return

        ThreadingHTTPServer.daemon_threads = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.socket.close()

    @property
    def url(self) -> str:
        """Where the clip is."""
        names = {"mjpeg": "video.mjpg", "mpegts": "live", "mp4": "clip.mp4"}
        name = names.get(self.kind, "index.m3u8")
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def _prepare(self) -> None:
        if self.kind == "mjpeg":
            self._pieces = [jpeg for clip in self.clips for jpeg in jpegs(clip)]
        elif self.kind == "mpegts":
            # Joined as a recorder joins its files: the program tables come anew and may name another codec.
            data = b"".join(map(transport_stream, self.clips))
            self._pieces = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
        else:
            assert self.folder is not None, "HLS and MP4 need a folder"
            if self.kind == "mp4":
                mux(self.folder / "clip.mp4", *self.clips)
            else:
                segments = _write_segments(self.folder, self.clips)
                if self.kind == "hls":
                    (self.folder / "index.m3u8").write_text(_playlist(segments, 0, "#EXT-X-ENDLIST"))
                self._segments = segments

    @property
    def _seconds(self) -> float:
        return sum(clip.frames / clip.fps for clip in self.clips)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.silent:
            self.closing.wait()
        elif any(request.headers.get(name) != value for name, value in self.headers.items()):
            request.send_error(401)
        elif self.kind == "hls-live" and request.path.endswith(".m3u8"):
            self._slide(request)
        elif self.folder is not None:
            self._send_file(request, self.folder / Path(request.path).name)
        else:
            self._send_stream(request)

    def _slide(self, request: BaseHTTPRequestHandler) -> None:
        first = min(self.shown, max(0, len(self._segments) - _WINDOW))
        self.shown += 1
        data = _playlist(self._segments[first : first + _WINDOW], first).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _send_file(self, request: BaseHTTPRequestHandler, path: Path) -> None:
        if not path.is_file():
            request.send_error(404)
            return
        data = path.read_bytes()
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0] or 0)
        request.send_response(206 if "Range" in request.headers else 200)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data) - first))
        if "Range" in request.headers:
            request.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        request.wfile.write(data[first:])

    def _send_stream(self, request: BaseHTTPRequestHandler) -> None:
        is_mjpeg = self.kind == "mjpeg"
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}" if is_mjpeg else "video/mp2t"
        request.send_response(200)
        request.send_header("Content-Type", kind)
        if not is_mjpeg:
            request.send_header("Transfer-Encoding", "chunked")
        request.send_header("Connection", "close")
        request.end_headers()
        sent = 0
        while True:
            for piece in self._pieces:
                if self.fault is not None and sent >= self.fault.after:
                    self._fail(self.fault, request)
                    return
                if self.closing.wait(self._seconds / len(self._pieces)):
                    return
                request.wfile.write(_part(piece) if is_mjpeg else _chunk(piece))
                sent += 1
            if not is_mjpeg:
                request.wfile.write(_chunk(b""))
                request.close_connection = True
                return

    def _fail(self, fault: Fault, request: BaseHTTPRequestHandler) -> None:
        if fault.kind == "stall":
            self.closing.wait()
        while fault.kind == "garbage" and not self.closing.wait(0.01):
            noise = os.urandom(4096)
            request.wfile.write(noise if self.kind == "mjpeg" else _chunk(noise))
        request.close_connection = True


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _part(jpeg: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


def _write_segments(folder: Path, clips: list[Clip]) -> list[list[str]]:
    """Writes each clip as a segment; returns the lines that stand for each in a playlist."""
    segments = []
    for number, clip in enumerate(clips):
        name = f"segment{number}.ts"
        (folder / name).write_bytes(transport_stream(clip))
        lines = ["#EXT-X-DISCONTINUITY"] if number else []
        segments.append([*lines, f"#EXTINF:{clip.frames / clip.fps:.3f},", name])
    return segments


def _playlist(segments: list[list[str]], first: int, *end: str) -> str:
    head = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    return "\n".join([*head, *(line for segment in segments for line in segment), *end, ""])

"""A small RTSP server: one H.264 or H.265 clip, over TCP interleaved or UDP, also by TLS, with logins and faults.

Written from RFC 2326 (RTSP), RFC 6184 and RFC 7798 (payloads), RFC 3550 (RTP and RTCP), RFC 2617 (Digest).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from tests.media.clips import Clip, packets
from tests.media.faults import Fault

_PAYLOAD = 96
_MTU = 1200
_RATE = 90_000
_FIRST_STAMP = 123_456_789
"""RTP time stamps begin anywhere (RFC 3550, 5.1)."""
_NTP_TO_UNIX = 2_208_988_800
_NONCE = "7f3a1c"
_REALM = "camera"


@dataclass(frozen=True)
class Account:
    """Who may watch, and how they must prove it."""

    kind: Literal["Basic", "Digest"]
    user: str
    password: str


@dataclass
class RtspServer:
    """Serves a clip at `url`; each connection begins at its beginning, and the clip repeats for ever.

    Attributes:
        clip: What is sent; of a list, each connection gets the next one, and the last one again and again.
        then: Sent in the same connection after the clip, in the same codec.
        fault: What goes wrong.
        faulty: How many connections it goes wrong for; all when None.
        account: Who may watch; everybody when None.
        wall_clock: Unix time of each connection's first picture, told in RTCP sender reports; None sends none.
        silent: Accepts connections and never answers.
        realtime: Sends at the clip's own rate; otherwise as fast as it is read.
        connections: How many were accepted.
        port: Where it listens; 0 chooses one.
        tls: What it encrypts with (`rtsps`); nothing is encrypted when None.
        transports: What each SETUP asked for.
    """

    clip: Clip | list[Clip]
    then: Clip | None = None
    fault: Fault | None = None
    faulty: int | None = None
    account: Account | None = None
    wall_clock: float | None = None
    silent: bool = False
    realtime: bool = True
    port: int = 0
    tls: ssl.SSLContext | None = None
    transports: list[str] = field(default_factory=list)
    connections: int = 0
    connected: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> RtspServer:
        clips = self.clip if isinstance(self.clip, list) else [self.clip]
        self.tracks = [Track.of(clip, self.then) for clip in clips]
        outer = self
        self._sockets: list[socket.socket] = []
        open_sockets = self._sockets

        class Handler(socketserver.BaseRequestHandler):
            def setup(self) -> None:
                if outer.tls is not None:
                    self.request = outer.tls.wrap_socket(self.request, server_side=True)

            def handle(self) -> None:
                number, outer.connections = outer.connections, outer.connections + 1
                open_sockets.append(self.request)
                outer.connected.set()
                if outer.silent:
                    outer.closing.wait()
                    return
                try:
                    is_faulty = outer.faulty is None or number < outer.faulty
                    track = outer.tracks[min(number, len(outer.tracks) - 1)]
                    _Session(outer, self.request, track, outer.fault if is_faulty else None).run()
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that does not trust the certificate hangs up."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """Where the clip is."""
        return f"rtsp{'s' if self.tls else ''}://127.0.0.1:{self.port}/live"


@dataclass(frozen=True)
class Track:
    """An encoded clip: for each picture its time stamp, and its units."""

    codec: str
    clip: Clip
    pictures: list[tuple[int, list[bytes]]]
    length: int

    @classmethod
    def of(cls, clip: Clip, then: Clip | None) -> Track:
        """Encodes one clip, or two to be sent one after the other."""
        codec = "H265" if clip.codec == "libx265" else "H264"
        pictures = []
        length = 0
        for part in (clip, then) if then is not None else (clip,):
            pictures += [((packet.pts or 0) + length, _units(bytes(packet))) for packet in packets(part)]
            length += round(part.frames / part.fps * _RATE)
        return cls(codec, clip, pictures, length)

    def describe(self) -> str:
        """The track in SDP. Parameter sets come with the key frames."""
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=clip", "c=IN IP4 0.0.0.0", "t=0 0", "a=range:npt=now-"]
        lines += [f"m=video 0 RTP/AVP {_PAYLOAD}", f"a=rtpmap:{_PAYLOAD} {self.codec}/{_RATE}"]
        if self.codec == "H264":
            lines.append(f"a=fmtp:{_PAYLOAD} packetization-mode=1")
        return "\r\n".join([*lines, "a=control:track1", ""])

    def payloads(self, unit: bytes) -> Iterator[bytes]:
        """Cuts a unit into RTP payloads: whole, or as fragments."""
        if len(unit) <= _MTU:
            yield unit
            return
        head = 1 if self.codec == "H264" else 2
        body = unit[head:]
        for at in range(0, len(body), _MTU):
            first, last = at == 0, at + _MTU >= len(body)
            flags = first << 7 | last << 6
            if self.codec == "H264":
                prefix = bytes([unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F])
            else:
                prefix = bytes([unit[0] & 0x81 | 49 << 1, unit[1], flags | unit[0] >> 1 & 0x3F])
            yield prefix + body[at : at + _MTU]


class _Session:
    """One client's connection."""

    def __init__(self, server: RtspServer, connection: socket.socket, track: Track, fault: Fault | None) -> None:
        self._server = server
        self._fault = fault
        self._socket = connection
        self._track = track
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._udp: dict[int, tuple[socket.socket, tuple[str, int]]] = {}
        self._sequence = 0

    def run(self) -> None:
        """Answers requests until the client leaves."""
        reader = self._socket.makefile("rb")
        try:
            while (head := self._request(reader)) is not None:
                method, url, headers = head
                self._answer(method, url, headers)
        finally:
            self._left.set()
            for sender, _ in self._udp.values():
                sender.close()

    def _request(self, reader: socket.SocketIO) -> tuple[str, str, dict[str, str]] | None:  # type: ignore[override]
        while True:
            first = reader.read(1)
            if not first:
                return None
            if first == b"$":
                _, size = struct.unpack(">BH", reader.read(3) or b"\0\0\0")
                reader.read(size)
                continue
            line = (first + reader.readline()).decode().strip()
            headers = {}
            while pair := reader.readline().decode().strip():
                name, _, value = pair.partition(":")
                headers[name.lower()] = value.strip()
            reader.read(int(headers.get("content-length", 0)))
            if line.startswith("RTSP/"):
                # The client answers garbage that looks to it like a request.
                continue
            method, url, _ = line.split(" ")
            return method, url, headers

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> None:
        if method != "OPTIONS" and not self._is_allowed(method, url, headers):
            account = self._server.account
            assert account is not None
            extra = f', nonce="{_NONCE}"' if account.kind == "Digest" else ""
            self._reply(headers, "401 Unauthorized", {"WWW-Authenticate": f'{account.kind} realm="{_REALM}"{extra}'})
            return
        if method == "OPTIONS":
            self._reply(headers, "200 OK", {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"})
        elif method == "DESCRIBE":
            about = {"Content-Base": url.rstrip("/") + "/", "Content-Type": "application/sdp"}
            self._reply(headers, "200 OK", about, self._track.describe())
        elif method == "SETUP":
            asked = headers.get("transport", "")
            self._server.transports.append(asked)
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1" if "TCP" in asked else self._use_udp(asked)
            self._reply(headers, "200 OK", {"Transport": transport, "Session": "1;timeout=60"})
        elif method == "PLAY":
            self._reply(headers, "200 OK", {"Session": "1", "Range": "npt=now-"})
            threading.Thread(target=self._play, daemon=True).start()
        else:
            self._reply(headers, "200 OK", {"Session": "1"})

    def _use_udp(self, asked: str) -> str:
        """Opens a socket for each of RTP and RTCP, towards the ports that the client asked for."""
        wanted = re.search(r"client_port=(\d+)-(\d+)", asked)
        assert wanted is not None, asked
        host = self._socket.getpeername()[0]
        for channel, port in enumerate(wanted.groups()):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind(("127.0.0.1", 0))
            self._udp[channel] = sender, (host, int(port))
        own = "-".join(str(sender.getsockname()[1]) for sender, _ in self._udp.values())
        return f"RTP/AVP;unicast;client_port={wanted[1]}-{wanted[2]};server_port={own}"

    def _transmit(self, channel: int, *packets: bytes) -> None:
        """Sends packets of RTP (channel 0) or RTCP (1)."""
        if channel in self._udp:
            sender, address = self._udp[channel]
            for packet in packets:
                sender.sendto(packet, address)
        else:
            self._send(b"".join(b"$" + bytes([channel]) + struct.pack(">H", len(p)) + p for p in packets))

    def _reply(self, headers: dict[str, str], status: str, extra: dict[str, str], body: str = "") -> None:
        fields = {"CSeq": headers.get("cseq", "0"), **extra}
        if body:
            fields["Content-Length"] = str(len(body.encode()))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._send(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())

    def _is_allowed(self, method: str, url: str, headers: dict[str, str]) -> bool:
        account = self._server.account
        if account is None:
            return True
        given = headers.get("authorization", "")
        if account.kind == "Basic":
            return given == "Basic " + base64.b64encode(f"{account.user}:{account.password}".encode()).decode()
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        secret = _md5(f"{account.user}:{_REALM}:{account.password}")
        request = _md5(f"{method}:{fields.get('uri', url)}")
        proof = _md5(f"{secret}:{_NONCE}:{request}")
        return fields.get("username") == account.user and fields.get("response") == proof

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._socket.sendall(data)

    def _play(self) -> None:
        try:
            for count, (pts, units) in enumerate(self._pictures()):
                fault = self._fault
                if fault is not None and count >= fault.after:
                    self._fail(fault)
                    return
                if self._left.wait(self._delay()) or self._server.closing.is_set():
                    return
                if count == 0 and self._server.wall_clock is not None:
                    self._report(pts, self._server.wall_clock)
                self._send_picture(pts, units)
        except OSError:
            return

    def _pictures(self) -> Iterator[tuple[int, list[bytes]]]:
        offset = _FIRST_STAMP
        while True:
            for pts, units in self._track.pictures:
                yield pts + offset, units
            offset += self._track.length

    def _delay(self) -> float:
        return 1 / self._track.clip.fps if self._server.realtime else 0.0

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "close":
            self._socket.shutdown(socket.SHUT_RDWR)
        elif fault.kind == "garbage":
            while not (self._left.wait(0.01) or self._server.closing.is_set()):
                self._transmit(0, os.urandom(800))

    def _send_picture(self, pts: int, units: list[bytes]) -> None:
        parts = [part for unit in units for part in self._track.payloads(unit)]
        sent = []
        for index, part in enumerate(parts):
            marker = (index == len(parts) - 1) << 7
            head = struct.pack(">BBHII", 0x80, marker | _PAYLOAD, self._sequence & 0xFFFF, pts & 0xFFFFFFFF, 7)
            self._sequence += 1
            sent.append(head + part)
        self._transmit(0, *sent)

    def _report(self, pts: int, unix: float) -> None:
        """Sends an RTCP sender report: the picture at `pts` was taken at `unix`."""
        seconds, fraction = divmod(unix + _NTP_TO_UNIX, 1)
        report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 7, int(seconds), int(fraction * 2**32), pts & 0xFFFFFFFF, 0, 0)
        self._transmit(1, report)


def _units(data: bytes) -> list[bytes]:
    """The units of a picture in the byte stream format."""
    return [unit.rstrip(b"\0") for unit in re.split(b"\0\0\1", data) if unit.rstrip(b"\0")]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()

"""The worker's HTTP side: health for orchestrators, status for people and programs, metrics for Prometheus."""

from __future__ import annotations

import socket
import threading

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inferfleet.config.cameras import Camera
from inferfleet.errors import OutsideError
from inferfleet.streams.annotate import marks_of, outlines_of
from inferfleet.streams.delivery.snapshots import encode_picture
from inferfleet.streams.lane import Seen
from inferfleet.streams.worker import Worker
from inferfleet.vision.draw import annotate

_STOP_SECONDS = 3
_QUALITY = 85


def build_app(worker: Worker) -> Starlette:
    """Returns the routes over a worker."""

    def healthz(_: Request) -> Response:
        alive = worker.is_alive
        return JSONResponse({"status": "alive" if alive else "dead"}, 200 if alive else 503)

    def readyz(_: Request) -> Response:
        ready = worker.is_ready
        return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    def status(_: Request) -> Response:
        return Response(msgspec.json.encode(worker.report()), media_type="application/json")

    def metrics(_: Request) -> Response:
        return Response(worker.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def snapshot(request: Request) -> Response:
        camera = request.path_params["camera"]
        lane = worker.lane(camera)
        if lane is None:
            return JSONResponse({"error": f"there is no camera {camera!r}"}, 404)
        if lane.seen is None:
            return JSONResponse({"error": f"camera {camera!r} has shown no frame yet"}, 503, {"Retry-After": "1"})
        jpeg = await run_in_threadpool(_draw, lane.camera, lane.seen)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/status", status),
            Route("/metrics", metrics),
            Route("/snapshot/{camera}.jpg", snapshot),
        ]
    )


def _draw(camera: Camera, seen: Seen) -> bytes:
    picture = seen.frame.picture
    marks = marks_of(track for track in seen.tracks if track.confirmed)
    return encode_picture(annotate(picture.bgr(), marks, outlines_of(camera, picture, seen.tracks)), "jpeg", _QUALITY)


class HttpServer:
    """Serves an app from a thread of its own until it is stopped."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Binds the address; port 0 takes a free one.

        Raises:
            OutsideError: The address cannot be had.
        """
        try:
            self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise OutsideError(
                f"HTTP on {host}:{port}: {error.strerror}; choose another port with --http-port or HTTP_PORT"
            ) from error
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_STOP_SECONDS
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Starts serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stops serving; open requests get a few seconds to finish."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS + 2)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

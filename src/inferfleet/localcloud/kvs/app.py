"""The emulator as an ASGI application, and the pages by which tests steer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from inferfleet.errors import InputError
from inferfleet.localcloud.kvs import archive, control, faults, get_media, hls, put_media
from inferfleet.localcloud.kvs.errors import ServiceError
from inferfleet.localcloud.kvs.get_media import CutError
from inferfleet.localcloud.kvs.state import Emulator

Handler = Callable[[Request], Awaitable[Response]]


def build(emulator: Emulator) -> Starlette:
    """The application of an emulator."""

    async def get(request: Request) -> Response:
        body = await get_media.open_body(emulator, request)
        return _Streamed(body.pieces(), "video/webm", body.close)

    async def put(request: Request) -> Response:
        session = await put_media.open_session(emulator, request)
        return _Streamed(session.acknowledgements(_body(request)), "application/json", session.close, watch=False)

    async def fragments(request: Request) -> Response:
        return JSONResponse(await archive.list_fragments(emulator, request))

    async def fragment_media(request: Request) -> Response:
        return Response(await archive.media_for_fragments(emulator, request), media_type="video/webm")

    async def hls_url(request: Request) -> Response:
        return JSONResponse(await hls.open_session(emulator, request))

    def of_hls(page: Callable[[Emulator, Request], Awaitable[Response]]) -> Handler:
        async def handle(request: Request) -> Response:
            return await page(emulator, request)

        return handle

    data = {
        "getMedia": get,
        "putMedia": put,
        "listFragments": fragments,
        "getMediaForFragmentList": fragment_media,
        "getHLSStreamingSessionURL": hls_url,
    }
    pages = {
        "getHLSMasterPlaylist.m3u8": hls.master,
        "getHLSMediaPlaylist.m3u8": hls.playlist,
        "getTSFragment.ts": hls.segment,
        "getMP4InitFragment.mp4": hls.segment,
        "getMP4MediaFragment.mp4": hls.segment,
    }
    routes = control.routes(emulator)
    for path, handler in data.items():
        # With and without the prefix of a data endpoint: some clients are given one address for everything.
        routes += [Route(f"{prefix}/{path}", handler, methods=["POST"]) for prefix in ("", "/{endpoint}")]
    routes += [Route(f"/hls/v1/{path}", of_hls(page)) for path, page in pages.items()]
    return Starlette(routes=routes + _steering(emulator), exception_handlers={ServiceError: _refused})


def _steering(emulator: Emulator) -> list[Route]:
    """Pages that AWS has not: faults, and what goes on."""

    async def add(request: Request) -> Response:
        try:
            fault = faults.parse((await request.body()).decode())
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"fault": emulator.faults.add(fault)})

    async def clear(request: Request) -> Response:
        emulator.faults.clear()
        return JSONResponse({})

    async def state(request: Request) -> Response:
        streams = {
            stream.name: {
                "fragments": len(stream.fragments),
                "bytes": sum(stored.size for stored in stream.fragments),
                "readers": stream.readers,
                "writers": stream.writers,
                "retention_hours": stream.retention_hours,
            }
            for stream in emulator.store.streams.values()
        }
        waiting = [asdict(fault) for fault in emulator.faults.waiting.values()]
        return JSONResponse({"streams": streams, "faults": waiting, "injected": emulator.faults.injected})

    return [
        Route("/_inferfleet/faults", add, methods=["POST"]),
        Route("/_inferfleet/faults", clear, methods=["DELETE"]),
        Route("/_inferfleet/state", state),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error.response()


async def _body(request: Request) -> AsyncIterator[bytes]:
    """A request's body.

    Raises:
        CutError: The producer went away within it, so that its last fragment does not count.
    """
    try:
        async for piece in request.stream():
            if piece:
                yield piece
    except ClientDisconnect:
        raise CutError from None


class _Streamed(Response):
    """A response of pieces that come over time. It ends with its client, and can be broken off.

    `watch` is off for a response whose request body is still being read, as only one may listen to the client.
    """

    def __init__(
        self, pieces: AsyncIterator[bytes], media_type: str, close: Callable[[], None], *, watch: bool = True
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._close = close
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [asyncio.create_task(self._send(send))]
        if self._watch:
            tasks.append(asyncio.create_task(_left(receive)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                await tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

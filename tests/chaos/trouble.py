"""What goes wrong, and when: chosen by a seeded chance, counted by kind."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.judge import Death
from tests.chaos.stage import Crew, Services
from tests.localcloud.delivery.cloud import Forward, Proxy, Request, Response

_THROTTLED = {
    "Kinesis_20131202.PutRecords": "ProvisionedThroughputExceededException",
    "DynamoDB_20120810.PutItem": "ProvisionedThroughputExceededException",
    "DynamoDB_20120810.UpdateItem": "ProvisionedThroughputExceededException",
    "DynamoDB_20120810.Scan": "ProvisionedThroughputExceededException",
}


class AnswerLostError(Exception):
    """Raised in the proxy's handler, which then hangs up after the service has done its work."""


class Weather:
    """The proxy's rule: while a service has bad weather, some of its requests fail in one way or another."""

    def __init__(self, chance: random.Random, injected: Counter[str]) -> None:
        self._chance, self._injected = chance, injected
        self._bad: dict[str, float] = {}
        self._lock = threading.Lock()

    def spoil(self, service: str, seconds: float) -> None:
        """Bad weather for a service, for some seconds."""
        self._bad[service] = time.monotonic() + seconds

    def clear(self) -> None:
        self._bad.clear()

    def __call__(self, request: Request, forward: Forward) -> Response | None:
        target = request.headers.get("x-amz-target", "")
        service = target.partition("_")[0] or "S3"
        with self._lock:
            if self._bad.get(service, 0.0) < time.monotonic() or self._chance.random() < 0.4:
                return None
            kinds = ["throttled", "failing", "answer lost"]
            kind = self._chance.choice([*kinds, "partial"] if target.endswith("PutRecords") else kinds)
            self._injected[f"{service} {kind}"] += 1
        if kind == "answer lost":
            forward(request)
            raise AnswerLostError
        if kind == "partial":
            return self._partial(request, forward)
        if kind == "failing" or service == "S3":
            return Response(503 if service == "S3" else 500, b'{"__type": "InternalFailure"}')
        code = _THROTTLED.get(target, "ThrottlingException")
        return Response(400, json.dumps({"__type": code, "message": "slow down"}).encode())

    def _partial(self, request: Request, forward: Forward) -> Response:
        """Passes every second record on and refuses the others, each in its place."""
        body = json.loads(request.body)
        records = body["Records"]
        passed = {**body, "Records": records[::2]}
        answer = forward(Request(request.method, request.path, request.headers, json.dumps(passed).encode()))
        if answer.status != 200:
            return answer
        done = iter(json.loads(answer.body)["Records"])
        refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
        results = [next(done) if n % 2 == 0 else refused for n in range(len(records))]
        failed = sum("ErrorCode" in result for result in results)
        return Response(200, json.dumps({"FailedRecordCount": failed, "Records": results}).encode())


class Troublemaker:
    """Does something every now and then."""

    def __init__(self, crew: Crew, services: Services, proxy: Proxy, cameras: list[str], *, lease: float, seed: int):
        self.injected: Counter[str] = Counter()
        self.deaths: list[Death] = []
        self._crew, self._services, self._cameras, self._lease = crew, services, cameras, lease
        self._chance = random.Random(seed)
        self._weather = Weather(random.Random(seed + 1), self.injected)
        proxy.rules.append(self._weather)

    def strike(self) -> None:
        """One piece of bad luck."""
        troubles: list[tuple[int, Callable[[], None]]] = [
            (4, self._kill),
            (2, self._pause),
            (1, self._terminate),
            (6, self._video),
            (6, self._spoil),
        ]
        _, doings = zip(*troubles, strict=True)
        self._chance.choices(doings, weights=[weight for weight, _ in troubles])[0]()

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._weather.clear()
        self._crew.paused = dict.fromkeys(self._crew.paused, 0.0)
        self._crew.tend()

    def _kill(self) -> None:
        if able := self._crew.able():
            number = self._chance.choice(able)
            self.injected[self._crew.kill(number)] += 1
            self.deaths.append(Death(time.monotonic(), self._crew.held(number)))

    def _pause(self) -> None:
        if len(able := self._crew.able()) > 1:
            self._crew.pause(self._chance.choice(able), self._lease * self._chance.uniform(0.2, 2.0))
            self.injected["worker paused"] += 1

    def _terminate(self) -> None:
        if able := self._crew.able():
            self._crew.processes[self._chance.choice(able)].terminate()
            self.injected["worker told to stop"] += 1

    def _video(self) -> None:
        kinds = [
            "cut:after=1f",
            "error:id=5000,after=1f",
            "truncate:after=1f",
            "throttle:call=GetMedia",
            "end:after=2f",
        ]
        kinds += [
            "busy:call=GetMedia",
            "expired-endpoint:call=GetMedia",
            "expired-token:call=GetMedia",
            "stall:after=1f",
        ]
        kind = self._chance.choice(kinds)
        spec = f"{kind}{',' if ':' in kind else ':'}stream={self._chance.choice(self._cameras)}"
        if "call=" not in spec:
            spec += ",call=GetMedia"
        self._services.video_fault(spec)

    def _spoil(self) -> None:
        self._weather.spoil(self._chance.choice(["Kinesis", "DynamoDB", "S3"]), self._chance.uniform(2, 8))

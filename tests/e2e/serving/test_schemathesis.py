"""Whatever the OpenAPI document allows, and a good deal that it does not, never makes the server fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.serving import pictures
from tests.e2e.serving.process import ServerProcess


@pytest.mark.slow
def test_generated_requests_never_make_a_5xx_and_answers_are_as_documented(server: ServerProcess) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
        *(
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ),
        *(
            "--max-examples",
            "20",
            "--phases",
            "examples,coverage,fuzzing",
            "--seed",
            "1",
            "--suppress-health-check",
            "all",
        ),
        # A deadline too short to meet is rightly answered 504; test_overload.py and test_exchange.py try those.
        *("--header", "X-Request-Timeout: 20"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    with server.client() as client:
        assert client.post("/predict", content=pictures.encoded()).status_code == 200

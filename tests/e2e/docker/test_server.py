"""The image as an HTTP API."""

from __future__ import annotations

from pathlib import Path

import docker
import httpx
import pytest
import yaml

from tests.e2e.docker.container import Container
from tests.e2e.serving.pictures import encoded

WAIT = """
import time, urllib.request
while True:
    try:
        urllib.request.urlopen("http://127.0.0.1:9090/ready")
        break
    except OSError:
        time.sleep(0.1)
"""


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """A serve.yaml without the seconds for a load balancer that is not there."""
    folder = tmp_path / "config"
    folder.mkdir()
    model = {"models": {"street": {"path": "zoo:street-classifier-v1"}}}
    (folder / "serve.yaml").write_text(yaml.safe_dump(model | {"drain": {"delay": 0}}))
    return folder


def test_the_image_by_itself_is_a_server_that_predicts_and_drains(cpu_image: str, impatient: Path) -> None:
    environment = {"SERVE_CONFIG": "/app/config/serve.yaml"}
    with Container(cpu_image, config=impatient, environment=environment) as server:
        server.wait_until("/ready", lambda answer: answer.status_code == 200)
        answer = httpx.post(f"{server.url}/predict", files={"file": encoded()})
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"]
        assert server.stop() == 0, server.log


def test_the_health_check_of_the_image_tells_a_server_from_none(cpu_image: str) -> None:
    client = docker.from_env()
    kind, *check = client.images.get(cpu_image).attrs["Config"]["Healthcheck"]["Test"]
    client.close()
    assert kind == "CMD"
    with Container(cpu_image, environment={"HTTP_PORT": "9090"}) as server:
        assert server.run("python", "-c", WAIT) == (0, "")
        assert server.run(*check)[0] == 0
        assert server.run(*check, environment={"HTTP_PORT": "9091"})[0] != 0

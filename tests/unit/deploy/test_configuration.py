import json

import pytest

from inferfleet.config import inline
from inferfleet.deploy import configuration, permissions
from inferfleet.deploy.render import ecs
from inferfleet.errors import InputError

CAMERAS = """
cameras:
  - id: gate
    source: {url: "rtsp://10.0.0.7/live", username: "${USER_NAME:-viewer}", password: "${CAMERA_PASSWORD}"}
sinks: [{kinesis: {stream: "${EVENTS:-events}"}}]
"""
SERVICE = "services: {r: {kind: streams, image: 'x/r:1', config: cameras.yaml, environment: {LEVEL: a}, secrets: %s}}"
SECRETS = '{CAMERA_PASSWORD: "arn:aws:secretsmanager:us-east-1:111122223333:secret:camera-a1b2c3"}'


@pytest.fixture
def fleet(make_fleet, tmp_path):
    (tmp_path / "cameras.yaml").write_text(CAMERAS)
    return make_fleet(SERVICE % SECRETS)


def test_the_task_definition_carries_the_configuration_as_it_is_written(fleet, tmp_path):
    definition = json.loads(ecs.files(fleet, tmp_path)["ecs-task-def.json"])
    environment = {item["name"]: item["value"] for item in definition["containerDefinitions"][0]["environment"]}
    assert inline.unpack(environment[inline.VARIABLE]) == CAMERAS
    assert environment["LEVEL"] == "a"


def test_the_container_gets_the_variables_that_were_validated_with(fleet, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("EVENTS=other-events\nUNUSED=1\n")
    carried = configuration.variables(fleet.services[0], tmp_path)
    assert set(carried) == {"EVENTS", inline.VARIABLE}
    assert carried["EVENTS"] == "other-events"
    (statement,) = permissions.task_role(fleet, fleet.services[0], tmp_path)
    assert statement.resources == ("arn:aws:kinesis:us-east-1:111122223333:stream/other-events",)


def test_a_secret_of_the_service_needs_no_value_where_it_is_deployed_and_none_goes_along(fleet, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMERA_PASSWORD", "hunter2")
    assert "CAMERA_PASSWORD" not in configuration.variables(fleet.services[0], tmp_path)


def test_a_variable_that_nobody_sets_is_told_with_its_place(make_fleet, tmp_path):
    (tmp_path / "cameras.yaml").write_text(CAMERAS)
    fleet = make_fleet(SERVICE % "{}")
    with pytest.raises(InputError, match=r"cameras.yaml:4:.*CAMERA_PASSWORD"):
        configuration.variables(fleet.services[0], tmp_path)


def test_a_configuration_that_no_task_definition_can_carry_is_told_with_the_way_out(make_fleet, tmp_path):
    import random

    noise = random.Random(1)
    (tmp_path / "any.txt").write_text("".join(chr(noise.randrange(32, 127)) for _ in range(60_000)))
    fleet = make_fleet("services: {r: {image: 'x/r:1', config: any.txt}}")
    with pytest.raises(InputError, match=r"CONFIG_FILE in services\.r\.environment"):
        configuration.variables(fleet.services[0], tmp_path)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "models: {m: {path: models/a.onnx}}\ncameras: [{id: a, source: 'kvs://a'}]",
            r"the model 'm' \(models/a.onnx\)",
        ),
        ("cameras: [{id: a, source: clips/a.mp4}]", r"the source of camera 'a' \(clips/a.mp4\)"),
    ],
)
def test_files_that_stay_behind_are_told_before_a_container_misses_them(make_fleet, tmp_path, written, told):
    (tmp_path / "cameras.yaml").write_text(f"{written}\nsinks: [stdout]\n")
    fleet = make_fleet(SERVICE % "{}")
    with pytest.raises(InputError, match=f"{told}.*services.r; copy the file into the image"):
        configuration.variables(fleet.services[0], tmp_path)


def test_files_of_the_image_go_by_their_whole_path(make_fleet, tmp_path):
    written = "models: {m: {path: /app/models/a.onnx}}\ncameras: [{id: a, source: /app/clips/a.mp4}]\nsinks: [stdout]\n"
    (tmp_path / "cameras.yaml").write_text(written)
    fleet = make_fleet(SERVICE % "{}")
    assert inline.VARIABLE in configuration.variables(fleet.services[0], tmp_path)

from __future__ import annotations

import re
import subprocess

import boto3
import pytest

from inferfleet.config.fleet import Image
from inferfleet.deploy.operations import images
from inferfleet.deploy.operations.account import Account
from inferfleet.errors import InputError, OutsideError
from inferfleet.localcloud import cloud


@pytest.fixture
def context(tmp_path, docker_engine):
    """A folder whose image needs no base, and that image's name."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(
        "FROM scratch AS first\nCOPY model.txt /\nFROM first AS second\nLABEL two=2\n"
    )
    (tmp_path / "app" / "model.txt").write_text("weights")
    return tmp_path


@pytest.fixture
def built(context):
    """Builds the image; what was built is removed in the end."""
    made = []

    def build(**fields):
        image = Image.model_validate({"build": "app", **fields})
        made.append(images.build(context, "api", image, lambda _: None))
        return made[-1]

    yield build
    names = [name for item in made for name in (f"registry.example/api:{item.tag}", item.id)]
    subprocess.run(["docker", "image", "rm", "--force", *names], capture_output=True, check=False)


class Registry(Account):
    """An account whose repositories are those of the local cloud, by the address at which Docker reaches them."""

    def __init__(self, running):
        super().__init__("us-east-1")
        self._url = running.services["aws"].url
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self._ecr = boto3.Session(region_name="us-east-1", **keys).client("ecr", endpoint_url=self._url)
        self._ecr.create_repository(repositoryName="api")

    def client(self, name):
        assert name == "ecr"
        return self

    def describe_images(self, **arguments):
        return self._ecr.describe_images(**arguments)

    def describe_repositories(self, **arguments):
        answer = self._ecr.describe_repositories(**arguments)
        for item in answer["repositories"]:
            item["repositoryUri"] = f"{self._url.removeprefix('http://')}/{item['repositoryName']}"
        return answer

    def get_authorization_token(self):
        grant = self._ecr.get_authorization_token()["authorizationData"][0]
        return {"authorizationData": [{**grant, "proxyEndpoint": self._url}]}


@pytest.fixture
def registry(tmp_path, docker_engine, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))  # where signing in leaves its password
    home = tmp_path / "cloud"
    yield Registry(cloud.start(home, port=0, kvs_port=0))
    cloud.stop(home)


def test_an_image_is_tagged_by_what_is_in_it(context, built):
    first, again = built(), built()
    assert first.tag == again.tag and first.id.startswith(f"sha256:{first.tag}")
    (context / "app" / "model.txt").write_text("other weights")
    assert built().tag != first.tag


def test_a_stage_and_a_repository_are_taken_as_the_fleet_says(built):
    assert built(stage="first").id != built(stage="second").id
    assert (built().repository, built(repository="team/api").repository) == ("api", "team/api")


def test_an_image_of_the_engine_is_found_by_the_name_that_it_was_given(built):
    image = built()
    tagged = images.tag(image, "registry.example/api")
    assert tagged == f"registry.example/api:{image.tag}"
    assert images.take("api", Image(uri="x/y:1"), tagged).id == image.id


def test_an_image_goes_up_once_and_is_run_by_the_digest_that_the_registry_gave_it(built, registry):
    image = built()
    assert images.pushed(registry, image) is None
    said = []
    uri = images.push(registry, image, said.append)
    assert re.fullmatch(r"127\.0\.0\.1:\d+/api@sha256:[0-9a-f]{64}", uri), said
    assert any("Pushed" in line for line in said)
    assert images.push(registry, image, lambda line: pytest.fail(f"pushed again: {line}")) == uri
    assert images.take("api", Image(uri="x/y:1"), uri).id == image.id


def test_what_cannot_be_built_says_what_is_missing(context):
    with pytest.raises(InputError, match=r"there is no .*/nowhere/Dockerfile"):
        images.build(context, "api", Image.model_validate({"build": "nowhere"}), lambda _: None)
    with pytest.raises(InputError, match=r"has no image registry.example/none:1"):
        images.take("api", Image(uri="x/y:1"), "registry.example/none:1")
    (context / "app" / "Dockerfile").write_text("FROM scratch\nCOPY nothing.txt /\n")
    with pytest.raises(OutsideError, match=r"docker build ended with 1:(.|\n)*nothing.txt"):
        images.build(context, "api", Image.model_validate({"build": "app"}), lambda _: None)


def test_an_image_is_built_for_the_processors_of_its_services(make_fleet):
    two = "images: {api: {build: .}}\nservices: {a: {image: api, architecture: %s}, b: {image: api, architecture: %s}}"
    assert images.architecture(make_fleet(two % ("arm64", "arm64")).file, "api") == "arm64"
    assert images.architecture(make_fleet(two % ("x86_64", "x86_64")).file, "api") == "amd64"
    with pytest.raises(InputError, match="make an image for each"):
        images.architecture(make_fleet(two % ("arm64", "x86_64")).file, "api")

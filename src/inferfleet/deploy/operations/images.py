"""The images that a fleet builds: built by Docker, pushed once under a tag that is their own digest, run by digest."""

from __future__ import annotations

import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from inferfleet.config.fleet import FleetFile, Image
from inferfleet.deploy.operations import tools
from inferfleet.deploy.operations.account import Account, is_missing
from inferfleet.errors import InputError, OutsideError

_TAG_DIGITS = 16
_CONTAINERS_S, _POLL_S = 60.0, 0.5


@dataclass(frozen=True, slots=True)
class Built:
    """An image in the Docker engine of this machine.

    Attributes:
        name: Its name in the fleet.
        id: Docker's id of it, `sha256:…`: the digest of all that is in it.
        repository: The repository that it is pushed to.
        size: Its size in bytes, unpacked.
    """

    name: str
    id: str
    repository: str
    size: int

    @property
    def tag(self) -> str:
        """The tag: what the image is, so the same image never goes up twice and no tag ever moves."""
        return self.id.removeprefix("sha256:")[:_TAG_DIGITS]


def needed(fleet: FleetFile) -> dict[str, Image]:
    """The images that are built here and that a service runs, by name."""
    used = {service.image for service in fleet.services.values()}
    return {name: image for name, image in fleet.images.items() if name in used and image.build is not None}


def repository(name: str, image: Image) -> str:
    """The name of the repository of an image."""
    return image.repository or name


def architecture(fleet: FleetFile, name: str) -> str:
    """The processors that an image must run on, in Docker's word: those of the services that run it.

    Raises:
        InputError: Services on different processors run it.
    """
    wanted = {service.architecture for service in fleet.services.values() if service.image == name}
    if len(wanted) > 1:
        raise InputError(f"image {name}: services on arm64 and on x86_64 run it; make an image for each")
    return "arm64" if wanted == {"arm64"} else "amd64"


def build(folder: Path, name: str, image: Image, on_line: Callable[[str], None], *, processors: str = "") -> Built:
    """Builds an image; Docker takes from its cache what has not changed.

    Args:
        folder: The folder of fleet.yaml, from which `build` counts.
        name: The image's name.
        image: What the fleet says of it.
        on_line: Gets each line that Docker prints.
        processors: What it must run on; Docker's own when left out.

    Raises:
        InputError: The folder or the Dockerfile is not there.
        OutsideError: The build fails.
    """
    assert image.build is not None
    context = (folder / image.build).resolve()
    dockerfile = context / image.dockerfile
    if not dockerfile.is_file():
        raise InputError(
            f"image {name}: there is no {dockerfile}; `build` is a folder from fleet.yaml's, `dockerfile` from there"
        )
    with tempfile.TemporaryDirectory() as temporary:
        told = Path(temporary) / "id"
        command = ["docker", "build", "--iidfile", str(told), "--file", str(dockerfile)]
        command += ["--target", image.stage] if image.stage else []
        if processors and processors != tools.docker_architecture():
            command += ["--platform", f"linux/{processors}"]
        tools.run([*command, str(context)], on_line, environment={"DOCKER_BUILDKIT": _buildkit()})
        return take(name, image, told.read_text().strip())


def take(name: str, image: Image, reference: str) -> Built:
    """An image that the Docker engine has already, by any of its names.

    Raises:
        InputError: It does not have it.
    """
    found = tools.docker_inspect(reference, "{{.Id}} {{.Size}}")
    if found is None:
        raise InputError(f"image {name}: the Docker engine has no image {reference}; `docker images` lists what it has")
    number, size = found.split()
    return Built(name, number, repository(name, image), int(size))


def _buildkit() -> str:
    """BuildKit where its plugin is there; without it the engine's own builder."""
    return "1" if tools.version_of("docker", "buildx", "version") else "0"


def pushed(account: Account, built: Built) -> str | None:
    """The URI by digest of an image that its repository holds already; None when it does not."""
    client = account.client("ecr")
    try:
        where = client.describe_repositories(repositoryNames=[built.repository])["repositories"][0]
        answer = client.describe_images(repositoryName=built.repository, imageIds=[{"imageTag": built.tag}])
    except Exception as error:
        if is_missing(error):
            return None
        raise
    digest = next((item["imageDigest"] for item in answer["imageDetails"]), None)
    return f"{where['repositoryUri']}@{digest}" if digest else None


def push(account: Account, built: Built, on_line: Callable[[str], None]) -> str:
    """Pushes an image to its ECR repository, unless it is there, and returns its URI by digest.

    Raises:
        OutsideError: The push fails, or the registry does not say what it got.
    """
    there = pushed(account, built)
    if there is not None:
        return there
    client = account.client("ecr")
    uri = client.describe_repositories(repositoryNames=[built.repository])["repositories"][0]["repositoryUri"]
    grant = client.get_authorization_token()["authorizationData"][0]
    user, _, password = b64decode(grant["authorizationToken"]).decode().partition(":")
    tools.docker_login(grant["proxyEndpoint"], user, password)
    tagged = tag(built, uri)
    tools.run(["docker", "push", tagged], on_line)
    digests = [item for item in tools.repo_digests(tagged) if item.startswith(f"{uri}@")]
    if not digests:
        raise OutsideError(f"image {built.name}: Docker pushed {tagged} and does not know its digest")
    return digests[-1]


def tag(built: Built, uri: str) -> str:
    """Gives an image its name in a repository, in the Docker engine only; returns that name."""
    tagged = f"{uri}:{built.tag}"
    tools.run(["docker", "tag", built.id, tagged], lambda _: None)
    return tagged


def registry(account: Account) -> str:
    """The host of an account's repositories."""
    return f"{account.id}.dkr.ecr.{account.region}.amazonaws.com"


def wait_for_containers(account: Account, cluster: str) -> None:
    """Waits until a local cloud has removed the containers of a cluster; those of other local clouds do not count."""
    arn = f"arn:aws:ecs:{account.region}:{account.id}:cluster/{cluster}"
    own = f":{urlsplit(account.endpoint).port}"
    until = time.monotonic() + _CONTAINERS_S
    while any(place.endswith(own) for place in tools.docker_places(arn)) and time.monotonic() < until:
        time.sleep(_POLL_S)


def local_name(account: Account, built: Built) -> str:
    """Names an image in the Docker engine as it would be called in ECR, and as that of this local cloud."""
    tagged = f"{registry(account)}/{built.repository}:{built.tag}-{urlsplit(account.endpoint).port}"
    tools.run(["docker", "tag", built.id, tagged], lambda _: None)
    return tagged


def local_names(account: Account, repository: str) -> list[str]:
    """The names that `local_name` gave for this local cloud."""
    mark = f"-{urlsplit(account.endpoint).port}"
    return [name for name in tools.docker_names(f"{registry(account)}/{repository}") if name.endswith(mark)]


def in_use(account: Account, fleet: FleetFile, families: Mapping[str, str]) -> dict[str, str]:
    """The URIs that the newest task definitions run, by the image's name: what a plan without a build counts with.

    Args:
        account: Where.
        fleet: The fleet.
        families: The task definition's family by service.
    """
    found: dict[str, str] = {}
    for key, service in fleet.services.items():
        if service.image not in needed(fleet):
            continue
        try:
            answer = account.client("ecs").describe_task_definition(taskDefinition=families[key])
        except Exception as error:
            if is_missing(error):
                continue
            raise
        for container in answer["taskDefinition"]["containerDefinitions"]:
            if container["name"] == key:
                found[service.image] = container["image"]
    return found

"""The repositories that a fleet's images are pushed to."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.deploy.stacks.base import FleetStack, camel, output

UNTAGGED_DAYS = 14


class ImageRepository(ecr.Repository):
    """A repository in which a tag never moves and each image is scanned.

    Images are run by digest, so the lifecycle counts nothing: however many images came after, a task definition that
    somebody may roll back to can still be pulled. Only what lost its tag goes, after two weeks; a tag cannot move
    here, so that is what a person untagged, or the layers of a push that broke off.

    Args:
        scope: The stack that it is in.
        id: Its name there.
        name: The repository's name.
    """

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(
            scope,
            id,
            repository_name=name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.AES_256,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            empty_on_delete=True,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description="what nobody can name any more",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=cdk.Duration.days(UNTAGGED_DAYS),
                )
            ],
        )


class RegistryStack(FleetStack):
    """A repository for each image that a fleet builds; images that exist elsewhere need none."""

    def __init__(self, scope: Construct, *, fleet: ResolvedFleet) -> None:
        super().__init__(scope, "registry", fleet=fleet, description=f"Images of the fleet {fleet.file.name}")
        for key, image in fleet.file.images.items():
            if image.build is not None:
                name = camel(key)
                repository = ImageRepository(self, name, name=image.repository or key)
                output(self, f"RepositoryUri{name}", repository.repository_uri, f"Where the image {key} is pushed to")

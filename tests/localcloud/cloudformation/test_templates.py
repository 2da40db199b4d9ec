"""The templates of the examples, of which the local cloud must know every resource type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.localcloud.cloudformation.emulator import Emulator

pytest.importorskip("aws_cdk", reason="needs the AWS CDK: pip install 'inferfleet[cdk]'")


@pytest.mark.parametrize("example", ["kvs-infer", "ml-inference", "gpu-recovery"])
def test_the_local_cloud_knows_every_type_in_the_templates_of_an_example(
    aws: Emulator, tmp_path: Path, example: str
) -> None:
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy.resolve import resolve
    from inferfleet.deploy.stacks.synth import synthesise

    path = REPOSITORY / "examples" / example / "fleet.yaml"
    fleet = resolve(read_fleet(path, {}))
    assembly = synthesise(fleet, path.parent, images={}, out=tmp_path, draft=True)
    assert assembly.stacks
    cloudformation, s3 = aws.client("cloudformation"), aws.client("s3")
    s3.create_bucket(Bucket=f"templates-{example}")
    for stack in assembly.stacks:
        s3.upload_file(str(stack.template), f"templates-{example}", stack.name)
        # An unknown type is refused here with its name.
        cloudformation.validate_template(TemplateURL=f"{aws.url}/templates-{example}/{stack.name}")


def test_an_unknown_type_is_refused(aws: Emulator) -> None:
    with pytest.raises(Exception, match="AWS::EC2::Nonsense"):
        aws.client("cloudformation").validate_template(
            TemplateBody='{"Resources": {"A": {"Type": "AWS::EC2::Nonsense"}}}'
        )

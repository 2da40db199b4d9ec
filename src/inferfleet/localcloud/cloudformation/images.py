"""The machine images of Amazon ECS, and the public parameters by which templates find them."""

from __future__ import annotations

import json

_OWNER = "591542846629"
"""The account that publishes them (amazon-ecs-ami, README)."""
_ROOT = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
_IMAGES = {
    "recommended": ("ami-0ec5000000000a001", "al2023-ami-ecs-hvm-2023.0.20251001-kernel-6.1-x86_64"),
    "gpu/recommended": ("ami-0ec5000000000a002", "al2023-ami-ecs-gpu-hvm-2023.0.20251001-kernel-6.1-x86_64-ebs"),
    "neuron/recommended": ("ami-0ec5000000000a003", "al2023-ami-ecs-neuron-hvm-2023.0.20251001-kernel-6.1-x86_64"),
    "arm64/recommended": ("ami-0ec5000000000a004", "al2023-ami-ecs-hvm-2023.0.20251001-kernel-6.1-arm64"),
}


def install() -> None:
    """Adds the images to EC2, and to Systems Manager the parameters that name them."""
    from ministack.services import ec2, ssm

    known = {image[0] for image in ec2._STUB_AMIS}
    for path, (image, name) in _IMAGES.items():
        ssm._PUBLIC_AMI_PARAMETERS[f"{_ROOT}/{path}/image_id"] = image
        ssm._PUBLIC_AMI_PARAMETERS[f"{_ROOT}/{path}"] = json.dumps(
            {"schema_version": 1, "image_id": image, "image_name": name, "os": "Amazon Linux 2023"}
        )
        if image not in known:
            ec2._STUB_AMIS.append((image, name, "Amazon Linux AMI for ECS", "", "/dev/xvda", _OWNER, "amazon"))

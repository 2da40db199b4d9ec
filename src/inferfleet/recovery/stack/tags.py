"""The tag by which an instance, and its Auto Scaling group, is recovery's to reboot and to replace."""

from inferfleet.recovery.aws.settings import MANAGED_TAG


def instance_tags(cluster: str) -> dict[str, str]:
    """The tags of the instances of a cluster that recovery looks after."""
    return {MANAGED_TAG: cluster}

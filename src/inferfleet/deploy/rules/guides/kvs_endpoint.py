"""A guide that says Kinesis Video Streams has no VPC endpoint."""

import re
from collections.abc import Iterator

from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_CLAIM = re.compile(
    r"(KVS|Kinesis Video Streams?).{0,60}\b(no|not|NOT|doesn't|does not).{0,12}(support\s+)?VPC endpoint", re.IGNORECASE
)


def check(world: Workspace) -> Iterator[Match]:
    """Finds the claim in prose."""
    for document in world.documents:
        for number, text in document.prose:
            matched = _CLAIM.search(text)
            if matched:
                place = document.source.place(document.source.line_starts[number - 1] + matched.start())
                yield Match(place, "there is one: com.amazonaws.REGION.kinesisvideo; no NAT gateway is needed for it")


RULE = Rule(
    severity=Severity.NOTE,
    title="Kinesis Video Streams has a VPC endpoint",
    why="The interface endpoint com.amazonaws.REGION.kinesisvideo carries its control plane and its media, with "
    "private DNS "
    "on. Video is what costs most through a NAT gateway.",
    fix="Create the endpoint, with a security group that allows 443 from the tasks. WebRTC does not work through it.",
    source="https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/vpc-interface-endpoints.html",
    check=check,
    example=Example(
        file="guide.md",
        bad="Kinesis Video Streams does not support VPC endpoints, so keep the NAT gateway.\n",
        good="Kinesis Video Streams has an interface endpoint, kinesisvideo, so no NAT gateway is needed.\n",
    ),
)

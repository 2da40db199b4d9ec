"""A stream reader that may read, and may not ask where."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of

_NEEDS = {
    "kinesisvideo:GetMedia", "kinesisvideo:GetMediaForFragmentList", "kinesisvideo:ListFragments",
    "kinesisvideo:GetHLSStreamingSessionURL", "kinesisvideo:PutMedia",
}  # fmt: skip


def check(world: Workspace) -> Iterator[Match]:
    """Finds policies with media actions and no GetDataEndpoint."""
    for policy in world.of(kinds.POLICY):
        actions = [action for statement in statements_of(policy.node) for action in statement["Action"]]
        media = [action for action in actions if action.text in _NEEDS]
        endpoint = any(
            action.text in ("kinesisvideo:GetDataEndpoint", "kinesisvideo:*", "kinesisvideo:Get*", "*")
            for action in actions
        )
        if media and not endpoint:
            yield Match(
                media[0].place, f"{media[0].text} without kinesisvideo:GetDataEndpoint, which every caller needs first"
            )


RULE = Rule(
    severity=Severity.WARNING,
    title="GetMedia without GetDataEndpoint",
    why="Kinesis Video Streams has no fixed endpoint for media: a client first asks GetDataEndpoint for the one of its "
    "stream.",
    fix="Allow kinesisvideo:GetDataEndpoint and kinesisvideo:DescribeStream on the same streams.",
    source="https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_dataplane_GetMedia.html",
    check=check,
    example=Example(
        file="policy.json",
        bad='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kinesisvideo:GetMedia", '
        '"Resource": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/camera*"}]}',
        good='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": '
        '["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"], '
        '"Resource": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/camera*"}]}',
    ),
)

"""What is known to be wrong in the five seed guides, and which rule finds it on which line.

The numbers are those of the list of facts that the guides were studied for. REJ: AWS or a tool rejects it. FAIL: it is
accepted and then fails. RISK: unsafe or wrong. COST and DOC: a wrong number or statement. S0 to S4 are the guides.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    kind: str
    found: tuple[tuple[str, int, str], ...] = ()
    why_not: str = ""


def found(kind, *places):
    return Entry(kind, places)


def unseen(kind, why):
    return Entry(kind, (), why)


PRICE = "a statement about prices; the rules check files, `inferfleet cost` computes prices"

ENTRIES = {
    1: found("FAIL", ("S0", 63, "ecs/launch-type-ignores-provider")),
    2: found("FAIL", ("S0", 23, "ecs/memory-does-not-fit")),
    3: found("FAIL", ("S0", 76, "ecs/rolling-needs-spare-gpu")),
    4: found("RISK", ("S0", 75, "ecs/two-stream-readers")),
    5: found("FAIL", ("S0", 83, "ecs/exec-without-permissions")),
    6: found("FAIL", ("S0", 122, "iam/condition-never-matches")),
    7: found("RISK", ("S0", 137, "iam/dynamodb-index")),
    8: unseen(
        "FAIL", "the deploy.sh that lacks the step is named, its commands are not shown: there is nothing to read"
    ),
    9: found("RISK", ("S0", 44, "ecs/host-path-hides-image"), ("S0", 45, "ecs/host-path-hides-image")),
    10: found("RISK", ("S0", 27, "ecs/latest-image")),
    11: found("DOC", ("S0", 221, "guides/kvs-endpoint"), ("S1", 600, "guides/kvs-endpoint")),
    12: found("DOC", ("S0", 768, "guides/app-mesh")),
    13: unseen("COST", PRICE),
    14: unseen("COST", PRICE),
    15: found("DOC", ("S1", 368, "capacity/imds-reachable")),
    16: unseen("DOC", "a map of names to values without anything that says it is a container's environment"),
    17: unseen("DOC", "a statement about another validator"),
    18: found("REJ", ("S1", 292, "shell/aws-cli"), ("S1", 394, "shell/aws-cli")),
    19: found("REJ", ("S1", 393, "ecs/wildcard-asg-arn"), ("S1", 818, "ecs/wildcard-asg-arn")),
    20: found("FAIL", ("S1", 305, "capacity/unexpanded-user-data")),
    21: found("FAIL", ("S1", 332, "capacity/ecs-agent-deadlock")),
    22: found("FAIL", ("S1", 354, "shell/used-before-set")),
    23: found("FAIL", ("S1", 536, "network/endpoint-security-group")),
    24: found("RISK", ("S1", 445, "network/egress-not-restricted")),
    25: found("RISK", ("S1", 399, "capacity/provider-replaced")),
    26: found("FAIL", ("S1", 352, "capacity/instance-profile-missing")),
    27: found("FAIL", ("S1", 193, "images/tag-computed-twice")),
    28: found("RISK", ("S1", 154, "images/lifecycle-expires-live")),
    29: found("FAIL", ("S1", 350, "capacity/root-volume")),
    30: found("DOC", ("S1", 337, "capacity/amazon-linux-2")),
    31: found("RISK", ("S1", 328, "capacity/cloudwatch-agent-idle")),
    32: found("RISK", ("S1", 587, "network/missing-endpoints")),
    33: found(
        "RISK",
        ("S1", 495, "shell/stable-is-not-deployed"),
        ("S2", 665, "shell/stable-is-not-deployed"),
        ("S2", 790, "shell/stable-is-not-deployed"),
    ),
    34: unseen("COST", PRICE),
    35: unseen("COST", PRICE),
    36: found(
        "RISK",
        ("S1", 687, "scaling/missing-data"),
        ("S1", 701, "scaling/missing-data"),
        ("S1", 715, "scaling/missing-data"),
        ("S2", 1053, "scaling/missing-data"),
        ("S2", 1067, "scaling/missing-data"),
        ("S3", 639, "scaling/missing-data"),
    ),
    37: unseen("RISK", "a quota is a property of the account; no file says what it is"),
    38: found("FAIL", ("S2", 550, "ecs/log-group-permission")),
    39: found("FAIL", ("S2", 554, "ecs/health-check-tool")),
    40: found("DOC", ("S2", 303, "images/healthcheck-ignores-status")),
    41: found("FAIL", ("S2", 217, "images/numpy-too-new")),
    42: found("FAIL", ("S2", 98, "images/weights-at-start")),
    43: found("REJ", ("S2", 727, "scaling/resource-label")),
    44: found("FAIL", ("S2", 1063, "scaling/alarm-dimension"), ("S2", 1077, "scaling/alarm-dimension")),
    45: found(
        "FAIL",
        ("S2", 1004, "scaling/metric-without-dimensions"),
        ("S2", 1005, "scaling/metric-without-dimensions"),
        ("S2", 1016, "scaling/metric-without-dimensions"),
        ("S2", 1017, "scaling/metric-without-dimensions"),
        ("S2", 1028, "scaling/metric-without-dimensions"),
        ("S2", 1028, "scaling/unknown-metric"),
    ),
    46: found(
        "FAIL",
        ("S2", 787, "ecs/rolling-called-blue-green"),
        ("S2", 786, "ecs/hard-coded-revision"),
        ("S3", 478, "ecs/hard-coded-revision"),
        ("S3", 793, "ecs/hard-coded-revision"),
    ),
    47: found(
        "FAIL",
        ("S2", 1094, "ecs/strategy-without-new-deployment"),
        ("S3", 691, "ecs/strategy-without-new-deployment"),
    ),
    48: found("FAIL", ("S2", 761, "images/route-after-main")),
    49: found("REJ", ("S2", 820, "kubernetes/version-out-of-support")),
    50: found("FAIL", ("S2", 876, "kubernetes/probe-timeout")),
    51: unseen("DOC", "whether eksctl installs metrics-server depends on its version, which the guide does not name"),
    52: unseen("COST", PRICE),
    53: found("RISK", ("S2", 307, "images/model-per-worker")),
    54: found(
        "RISK",
        ("S2", 1126, "shell/incomplete-cleanup"),
        ("S2", 1133, "shell/cluster-deleted-too-soon"),
        ("S3", 807, "shell/incomplete-cleanup"),
        ("S3", 818, "shell/cluster-deleted-too-soon"),
    ),
    55: found("REJ", ("S3", 369, "ecs/gpu-on-fargate")),
    56: found("REJ", ("S3", 505, "ecs/launch-type-and-strategy")),
    57: found("FAIL", ("S3", 441, "network/no-route-to-internet")),
    58: found(
        "FAIL",
        ("S3", 484, "shell/never-set"),
        ("S3", 487, "shell/never-set"),
        ("S3", 553, "shell/never-set"),
        ("S3", 572, "shell/never-set"),
    ),
    59: found("FAIL", ("S3", 606, "shell/old-cli")),
    60: found("FAIL", ("S3", 248, "shell/aws-cli")),
    61: found("RISK", ("S3", 65, "iam/administrator-attached")),
    62: unseen("COST", PRICE),
    63: found("RISK", ("S3", 704, "scaling/zero-minimum")),
    64: found("RISK", ("S3", 568, "network/https-port-closed"), ("S3", 568, "network/old-tls-policy")),
    65: unseen("DOC", PRICE),
    66: found("FAIL", ("S4", 52, "guides/node-version")),
    67: found("DOC", ("S4", 90, "guides/cdk-version")),
    68: found("DOC", ("S4", 272, "guides/cdk-destroy")),
    69: unseen("RISK", "what the Lambda functions do is described, their code is not shown"),
    70: unseen("RISK", "what the Lambda functions do is described, their code is not shown"),
    71: unseen("DOC", "that a platform feature overtakes a system is advice, not a mistake in a file"),
}

# True, and not in the list of facts.
BEYOND = {
    ("S2", 626, "shell/aws-cli"): "create-target-group has no --deregistration-delay: it is a target group attribute",
    ("S3", 360, "ecs/latest-image"): "the same mistake as number 10, in another guide",
    ("S3", 497, "ecs/grace-period-too-short"): "the JSON, unlike the command above it, gives no grace period",
}

from __future__ import annotations

import pytest

from inferfleet.deploy.plan import ways
from inferfleet.deploy.reach import reach

IN_ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com/app@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("nat", "image", "said"),
    [
        ("auto", IN_ECR, "No NAT gateway: nothing needs one"),
        ("one", IN_ECR, "1 NAT gateway, and nothing needs one; `nat: auto` would leave it out"),
        ("auto", "public.ecr.aws/x/a:1", "1 NAT gateway, for:\n  a: its image public.ecr.aws/x/a:1 is not in ECR"),
        ("per-zone", "public.ecr.aws/x/a:1", "2 NAT gateways, for:\n  a: its image public.ecr.aws/x/a:1 is not in ECR"),
        ("none", "public.ecr.aws/x/a:1", "No NAT gateway, and these need one:\n  a: its image public.ecr.aws/x/a:1"),
    ],
)
def test_the_plan_says_what_nat_is_for(make_fleet, nat, image, said):
    fleet = make_fleet(f"network: {{nat: {nat}}}\nservices: {{a: {{kind: api, image: '{image}'}}}}")
    assert said in "\n".join(ways.lines(fleet.file.network, reach(fleet, None)))


def test_the_plan_names_the_endpoints_and_those_that_cost_nothing(make_fleet):
    fleet = make_fleet(f"services: {{a: {{kind: api, image: '{IN_ECR}'}}}}")
    assert ways.lines(fleet.file.network, reach(fleet, None))[0] == "Endpoints: ecr.api, ecr.dkr, logs, s3 (free)"


def test_in_an_existing_vpc_the_plan_says_what_must_be_there(make_fleet):
    network = "network: {vpc: vpc-0a, private_subnets: [subnet-0a, subnet-0b]}"
    fleet = make_fleet(f"{network}\nservices: {{a: {{kind: api, image: 'public.ecr.aws/x/a:1'}}}}")
    assert ways.lines(fleet.file.network, reach(fleet, None)) == (
        "These need a way out of vpc-0a that is there already:",
        "  a: its image public.ecr.aws/x/a:1 is not in ECR",
    )

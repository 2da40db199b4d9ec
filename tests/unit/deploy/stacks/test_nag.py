"""cdk-nag's AwsSolutions pack finds nothing that is not acknowledged, with a reason, where it is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inferfleet.config.fleet import FleetFile, read_fleet
from inferfleet.deploy.resolve import resolve

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").glob("*/fleet.yaml"))
KUBERNETES = {
    "name": "shop",
    "capacity": {"gpu": {"instances": ["g6.xlarge"], "spot": 50}},
    "services": {
        "api": {
            "kind": "api",
            "target": "eks",
            "image": "x/api:1",
            "gpu": 1,
            "load_balancer": {},
            "scaling": {
                "min": 1,
                "cpu": 60,
                "queue": {"name": "jobs"},
                "metric": {"namespace": "Shop", "name": "Backlog", "target": 5},
            },
        },
        "eyes": {"kind": "streams", "target": "eks", "capacity": "gpu", "image": "x/eyes:1", "gpu": 1},
    },
}


def found(add: Callable[[Any], None], out: Path) -> list[tuple[str, str]]:
    """Synthesises an app with the pack; returns the rules that are broken, and where."""
    import aws_cdk as cdk

    nag = pytest.importorskip("cdk_nag")
    app = cdk.App(outdir=str(out), analytics_reporting=False)
    cdk.Validations.of(app).add_plugins(nag.AwsSolutionsChecks(app))
    add(app)
    try:
        app.synth()
    except Exception as error:
        if "ValidationFailed" not in str(error):
            raise
    reports = json.loads((out / "validation-report.json").read_text())["pluginReports"]
    return [
        (violation["ruleName"], place.get("constructPath", ""))
        for report in reports
        for violation in report.get("violations", ())
        for place in violation.get("violatingConstructs") or violation.get("violatingResources", ())
    ]


@pytest.fixture(autouse=True)
def _cdk() -> None:
    pytest.importorskip("aws_cdk", reason="needs the CDK; `pip install inferfleet[eks]`, and Node.js")


def test_the_pack_is_really_asked(tmp_path: Path) -> None:
    def add(app: Any) -> None:
        import aws_cdk as cdk

        cdk.aws_s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")

    assert "AwsSolutions-S1" in {rule for rule, _ in found(add, tmp_path)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_has_no_finding(path: Path, tmp_path: Path) -> None:
    from inferfleet.deploy.stacks import add_fleet

    fleet = resolve(read_fleet(path, {}))
    assert found(lambda app: add_fleet(app, fleet, path.parent, images={}, draft=True), tmp_path) == []


def test_services_on_kubernetes_have_no_finding(tmp_path: Path) -> None:
    pytest.importorskip("aws_cdk.lambda_layer_kubectl_v35")
    from inferfleet.deploy.stacks import add_fleet

    fleet = resolve(FleetFile.model_validate(KUBERNETES))
    assert found(lambda app: add_fleet(app, fleet, None, images={}, draft=True), tmp_path) == []

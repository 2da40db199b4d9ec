"""The dashboard and the alerts speak of metrics that workers and servers really export, with labels that these have."""

import json
import re

import pytest
import yaml

from inferfleet.deploy import render

TEXT = """
capacity: {gpu: {instances: [g5.xlarge]}}
services:
  eyes: {kind: streams, target: ecs-ec2, capacity: gpu, image: 'x/eyes:1', gpu: 1}
  api: {kind: api, target: eks, image: 'x/api:1'}
"""
_METRIC = re.compile(r"\binferfleet_\w+")
_SELECTED = re.compile(r"(inferfleet_\w+)\{([^}]*)\}")
_PARTS = ("_bucket", "_sum", "_count")


@pytest.fixture
def files(make_fleet):
    return render.files(make_fleet(TEXT), render.Format.GRAFANA)


@pytest.fixture(scope="module")
def exported():
    """Names of samples that can be exported, and the labels of each."""
    from inferfleet.serving.metrics import LaneState
    from inferfleet.serving.metrics import Metrics as Served
    from tests.unit.streams.test_metrics import exported as of_the_worker

    served = Served()
    served.show(lambda: [LaneState("m", "1", "0" * 64, 0, 0.0)])
    labels = {}
    for metric in (*of_the_worker(), *served.registry.collect()):
        names = getattr(metric, "samples", ())
        found = set().union(*(sample.labels for sample in names)) if names else None
        suffixes = {"counter": ("_total",), "histogram": _PARTS}.get(metric.type, ("",))
        for suffix in suffixes:
            labels[metric.name + suffix] = found
    return labels


def expressions(files):
    dashboard = json.loads(files["dashboard.json"])
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    for group in yaml.safe_load(files["prometheus-rules.yaml"])["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def test_every_metric_that_is_named_is_exported(files, exported):
    named = {name for expression in expressions(files) for name in _METRIC.findall(expression)}
    assert len(named) > 20
    assert named - set(exported) == set()


def test_every_label_that_is_selected_by_is_one_of_the_metric(files, exported):
    for expression in expressions(files):
        for name, selector in _SELECTED.findall(expression):
            wanted = set(re.findall(r"(\w+)=", selector))
            if exported[name] is not None:
                assert wanted <= exported[name], f"{name} has no label {wanted - exported[name]}"


def test_panels_do_not_overlap_and_have_ids_of_their_own(files):
    panels = json.loads(files["dashboard.json"])["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_it_shows_what_the_fleet_has_and_nothing_else(make_fleet, files):
    def rows(rendered):
        return [panel["title"] for panel in json.loads(rendered["dashboard.json"])["panels"] if panel["type"] == "row"]

    assert rows(files) == ["Cameras", "Delivery", "Models", "Requests", "GPUs"]
    other = render.files(make_fleet("services: {api: {kind: api, image: 'x/api:1'}}"), render.Format.GRAFANA)
    assert rows(other) == ["Requests"]
    assert "CameraSilent" not in other["prometheus-rules.yaml"]

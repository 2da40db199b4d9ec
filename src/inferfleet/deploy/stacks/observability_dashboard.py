"""The dashboard of a fleet: what runs, cameras, requests, GPUs, and what drives the cost; one row of graphs each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cw

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sink_aws import DynamoDbSink, KinesisSink
from inferfleet.config.sources import KvsSource
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService, capacity_provider, ecs_capacity
from inferfleet.deploy.stacks.observability_alarms import CAMERA_TROUBLES, ERRORS, SINK_FAILURES
from inferfleet.deploy.stacks.observability_metrics import (
    FIVE_MINUTES,
    INSIGHTS,
    MINUTE,
    labelled,
    log_metric,
    log_namespace,
    provider_reservation,
    search,
    service_metric,
    video,
)

Row = list[cw.IWidget]
_WIDTH = 24
_HEIGHT = 6
_BALANCER = ("AWS/ApplicationELB", "LoadBalancer")


def widgets(fleet: ResolvedFleet, configurations: Mapping[str, CamerasFile], alarms: Sequence[cw.IAlarm]) -> list[Row]:
    """Returns the rows of a fleet's dashboard.

    Args:
        fleet: The fleet.
        configurations: The cameras.yaml of its `streams` services, by key.
        alarms: What is shown first.
    """
    services = [service for service in fleet.services if service.target != "eks"]
    rows: list[Row] = [_head(fleet, alarms)]
    if services:
        rows += [_title("Fleet"), _fleet(fleet, services)]
    rows += _capacity(fleet)
    for service in services:
        if service.spec.load_balancer is not None:
            rows += [_title(f"Requests: {service.key}"), _requests(service)]
        if service.key in configurations:
            rows += [_title(f"Cameras: {service.key}"), *_cameras(fleet, service, configurations[service.key])]
    if any(service.gpus or service.shared_gpu for service in services):
        rows += [_title("GPUs"), _gpus(fleet)]
    return [*rows, _title("What drives the cost"), _cost(fleet, services, configurations)]


def video_streams(config: CamerasFile) -> list[str]:
    """Returns the Kinesis video streams that a worker reads with GetMedia, each once."""
    sources = [camera.source for camera in config.cameras if camera.enabled]
    found = (source.stream for source in sources if isinstance(source, KvsSource) and source.via == "media")
    return list(dict.fromkeys(found))


def _title(text: str) -> Row:
    return [
        cw.TextWidget(markdown=f"## {text}", width=_WIDTH, height=1, background=cw.TextWidgetBackground.TRANSPARENT)
    ]


def _graphs(*graphs: tuple[str, Sequence[cw.IMetric]], stacked: bool = False) -> Row:
    shown = [(title, metrics) for title, metrics in graphs if metrics]
    return [
        cw.GraphWidget(title=title, left=list(metrics), width=_WIDTH // len(shown), height=_HEIGHT, stacked=stacked)
        for title, metrics in shown
    ]


def _head(fleet: ResolvedFleet, alarms: Sequence[cw.IAlarm]) -> Row:
    text = f"# {fleet.file.name}\n\nCluster `{fleet.cluster}` in {fleet.region}. `inferfleet status` says it in words."
    head: Row = [cw.TextWidget(markdown=text, width=_WIDTH // 3, height=4)]
    if alarms:
        head.append(cw.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=_WIDTH - _WIDTH // 3, height=4))
    return head


def _fleet(fleet: ResolvedFleet, services: Sequence[ResolvedService]) -> Row:
    def each(name: str, namespace: str = INSIGHTS, statistic: str = "Average") -> list[cw.IMetric]:
        found = [service_metric(fleet, item, name, namespace=namespace, statistic=statistic) for item in services]
        return [labelled(metric, item.key) for metric, item in zip(found, services, strict=True)]

    logging = [item for item in services if item.spec.kind != "container"]
    errors = [labelled(log_metric(fleet, item, ERRORS), item.key) for item in logging]
    return _graphs(
        ("Tasks that run", each("RunningTaskCount")),
        ("CPU, % of what was asked for", each("CPUUtilization", "AWS/ECS")),
        ("Memory, % of what was asked for", each("MemoryUtilization", "AWS/ECS", "Maximum")),
        ("Errors in logs", errors),
    )


def _capacity(fleet: ResolvedFleet) -> Iterator[Row]:
    names = [name for name, item in ecs_capacity(fleet).items() if item.kind != "fargate"]
    if names:
        providers = {name: capacity_provider(fleet.file.name, name) for name in names}
        full = [labelled(provider_reservation(fleet, provider), name) for name, provider in providers.items()]
        cluster = {"ClusterName": fleet.cluster}
        count = cw.Metric(
            namespace=INSIGHTS, metric_name="ContainerInstanceCount", dimensions_map=cluster, period=MINUTE
        )
        yield _graphs(("Instances, % wanted of what there is (over 100: tasks wait)", full), ("Instances", [count]))


def _requests(service: ResolvedService) -> Row:
    name = service.names.load_balancer

    def of(metric: str, statistic: str, label: str = "") -> cw.SearchExpression:
        return search(_BALANCER, metric, name, statistic, label=label)

    failed = [
        of(f"HTTPCode_{who}_5XX_Count", "Sum", label) for who, label in (("Target", "service"), ("ELB", "balancer"))
    ]
    return _graphs(
        ("Requests a minute", [of("RequestCount", "Sum", "requests")]),
        ("Time to answer, s", [of("TargetResponseTime", statistic, statistic) for statistic in ("p50", "p95", "p99")]),
        ("Errors a minute", [*failed, of("HTTPCode_Target_4XX_Count", "Sum", "clients' own")]),
        (
            "Healthy tasks",
            [search(("AWS/ApplicationELB", "LoadBalancer", "TargetGroup"), "HealthyHostCount", name, "Minimum")],
        ),
    )


def _cameras(fleet: ResolvedFleet, service: ResolvedService, config: CamerasFile) -> Iterator[Row]:
    streams = video_streams(config)
    namespace = log_namespace(fleet, service)
    down = cw.SearchExpression(
        expression=f"SEARCH('{{\"{namespace}\",Camera}} MetricName=\"{CAMERA_TROUBLES}ByCamera\"', 'Sum', 300)",
        label="",
        period=FIVE_MINUTES,
    )
    yield _graphs(
        ("Behind the camera, ms", _videos(streams, "GetMedia.MillisBehindNow", "Maximum")),
        ("Bytes a minute from cameras", _videos(streams, "PutMedia.IncomingBytes", "Sum")),
        ("Troubles by camera", [down]),
        ("Sink failures", [labelled(log_metric(fleet, service, SINK_FAILURES), service.key)]),
    )
    sinks = [sink.settings for sink in config.sinks]
    written: list[cw.IMetric] = []
    refused: list[cw.IMetric] = []
    for sink in sinks:
        if isinstance(sink, KinesisSink):
            stream = {"StreamName": sink.stream.rpartition("/")[2]}
            written.append(_count("AWS/Kinesis", "IncomingRecords", stream))
            refused.append(_count("AWS/Kinesis", "WriteProvisionedThroughputExceeded", stream))
        elif isinstance(sink, DynamoDbSink):
            table = {"TableName": sink.table}
            written.append(_count("AWS/DynamoDB", "ConsumedWriteCapacityUnits", table))
            refused.append(_count("AWS/DynamoDB", "WriteThrottleEvents", table))
    if written:
        yield _graphs(("Events stored a minute", written), ("Refused for lack of capacity", refused))


def _videos(streams: Sequence[str], name: str, statistic: str) -> list[cw.IMetric]:
    return [labelled(video(stream, name, statistic), stream) for stream in streams]


def _count(namespace: str, name: str, dimensions: dict[str, str]) -> cw.Metric:
    label = " ".join(dimensions.values())
    return cw.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic="Sum", period=MINUTE, label=label
    )


def _gpus(fleet: ResolvedFleet) -> Row:
    """Managed Instances tell of each task's GPU; of other instances ECS knows only how many GPUs are taken."""

    def of(name: str, statistic: str = "Maximum") -> cw.SearchExpression:
        return search((INSIGHTS, "ClusterName", "ServiceName"), name, fleet.cluster, statistic)

    taken = cw.Metric(
        namespace="AWS/ECS",
        metric_name="GPUReservation",
        dimensions_map={"ClusterName": fleet.cluster},
        period=MINUTE,
        label="taken",
    )
    return _graphs(
        ("GPUs taken, %", [taken]),
        ("GPU at work, %", [of("TaskGPUUtilization", "Average")]),
        ("GPU memory used, %", [of("TaskGPUMemoryUtilization")]),
        ("Xid errors, temperature", [of("TaskGPURestartAppXidCount", "Sum"), of("TaskGPUTemperature")]),
    )


def _cost(fleet: ResolvedFleet, services: Sequence[ResolvedService], configurations: Mapping[str, CamerasFile]) -> Row:
    streams = [stream for config in configurations.values() for stream in video_streams(config)]
    logged = [_count("AWS/Logs", "IncomingBytes", {"LogGroupName": item.names.log_group}) for item in services]
    balancers = [item.names.load_balancer for item in services if item.spec.load_balancer is not None]
    through_nat = search(("AWS/NATGateway", "NatGatewayId"), "BytesOutToDestination", "", "Sum", label="out")
    return _graphs(
        ("Load balancer capacity units", [search(_BALANCER, "ConsumedLCUs", name, "Sum") for name in balancers]),
        ("Bytes through NAT gateways of this region", [through_nat] if _has_nat(fleet) else []),
        ("Bytes read from video streams", _videos(streams, "GetMedia.OutgoingBytes", "Sum")),
        ("Bytes logged", logged),
    )


def _has_nat(fleet: ResolvedFleet) -> bool:
    network = fleet.file.network
    return network.vpc is not None or network.nat != "none"


def period() -> cdk.Duration:
    """What a dashboard shows when it is opened."""
    return cdk.Duration.hours(6)

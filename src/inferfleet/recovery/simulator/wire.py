"""The simulator on the wire: an HTTP server that speaks the protocols of ECS, EC2, Auto Scaling, SNS and Logs.

Requests are read and answers written by botocore's own service models, and both are validated against them, so a real
boto3 client cannot tell that nobody is behind it, and a wrong parameter fails as it would at AWS.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from inferfleet.recovery.simulator.aws import SmallCluster
from inferfleet.recovery.simulator.errors import ApiError

_TARGETS = {"AmazonEC2ContainerServiceV20141113": "ecs", "Logs_20140328": "logs"}
_VERSIONS = {"2016-11-15": "ec2", "2011-01-01": "autoscaling", "2010-03-31": "sns"}


@contextmanager
def served(cluster: SmallCluster) -> Iterator[str]:
    """Serves a cluster on a free port; yields the endpoint's URL."""
    lock = threading.Lock()

    class Handler(_Handler):
        small, guard = cluster, lock

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    small: SmallCluster
    guard: threading.Lock
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    """Head and body leave together: in two writes, the second would wait for the client's delayed acknowledgement."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "")
        try:
            if target:
                prefix, operation = target.split(".")
                answer = self._call(_TARGETS[prefix], operation, json.loads(body or b"{}"))
                self._reply(200, json.dumps(answer), "application/x-amz-json-1.1")
            else:
                form = dict(parse_qsl(body.decode(), keep_blank_values=True))
                service, operation = _VERSIONS[form["Version"]], form["Action"]
                model = _model(service).operation_model(operation)
                given = _from_form(model.input_shape, form, "", service)
                answer = self._call(service, operation, given)
                self._reply(200, _to_xml(service, operation, model.output_shape, answer), "text/xml")
        except ApiError as error:
            self._fail(error, is_json=bool(target))

    def _call(self, service: str, operation: str, given: dict[str, Any]) -> Any:
        model = _model(service).operation_model(operation)
        problem = _problem(model.input_shape, given)
        if problem:
            raise ApiError("InvalidParameterException", problem)
        with self.guard:
            answer = self.small.serve(operation, given)
        if model.output_shape is not None:
            problem = _problem(model.output_shape, _with_times(model.output_shape, answer))
            if problem:
                raise ApiError("SimulatorFault", f"{operation} answered what its model forbids: {problem}", 500)
        return answer

    def _fail(self, error: ApiError, *, is_json: bool) -> None:
        if is_json:
            text = json.dumps({"__type": error.code, "message": error.message})
            self._reply(error.status, text, "application/x-amz-json-1.1")
        else:
            inner = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
            xml = f"<Response><Errors>{inner}</Errors></Response><ErrorResponse>{inner}</ErrorResponse>"
            self._reply(error.status, xml.split("</Response>", maxsplit=1)[0] + "</Response>", "text/xml")

    def _reply(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@cache
def _model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def _problem(shape: Any, given: Any) -> str:
    from botocore.validate import ParamValidator

    if shape is None:
        return ""
    report = ParamValidator().validate(given, shape)
    return str(report.generate_report()) if report.has_errors() else ""


def _with_times(shape: Any, value: Any) -> Any:
    """The answer with its numbers where the model wants timestamps, as datetimes, for validation."""
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value
    if shape.type_name == "structure":
        return {k: _with_times(shape.members[k], v) if k in shape.members else v for k, v in value.items()}
    if shape.type_name == "list":
        return [_with_times(shape.member, item) for item in value]
    return value


def _from_form(shape: Any, form: dict[str, str], prefix: str, service: str) -> Any:
    """Reads the query and ec2 protocols: `Name.Inner`, `Name.1`, `Name.member.1`."""
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            wire = member.serialization.get("queryName") or member.serialization.get("name", name)
            wire = wire[:1].upper() + wire[1:] if service == "ec2" else wire
            path = f"{prefix}.{wire}" if prefix else wire
            if any(key == path or key.startswith(f"{path}.") for key in form):
                found[name] = _from_form(member, form, path, service)
        return found
    if shape.type_name == "list":
        flat = service == "ec2" or shape.serialization.get("flattened")
        base = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        items: list[Any] = []
        while any(key == f"{base}.{len(items) + 1}" or key.startswith(f"{base}.{len(items) + 1}.") for key in form):
            items.append(_from_form(shape.member, form, f"{base}.{len(items) + 1}", service))
        return items
    text = form[prefix]
    match shape.type_name:
        case "boolean":
            return text == "true"
        case "integer" | "long":
            return int(text)
        case _:
            return text


def _to_xml(service: str, operation: str, shape: Any, answer: Any) -> str:
    inner = "" if shape is None else "".join(_members(shape, answer, service))
    if service == "ec2":
        return f"<{operation}Response><requestId>1</requestId>{inner}</{operation}Response>"
    wrapper = (
        shape.serialization.get("resultWrapper", f"{operation}Result") if shape is not None else f"{operation}Result"
    )
    meta = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    return f"<{operation}Response><{wrapper}>{inner}</{wrapper}>{meta}</{operation}Response>"


def _members(shape: Any, value: dict[str, Any], service: str) -> Iterator[str]:
    for name, member in shape.members.items():
        if name in value:
            yield _element(member.serialization.get("name", name), member, value[name], service)


def _element(tag: str, shape: Any, value: Any, service: str) -> str:
    if shape.type_name == "structure":
        return f"<{tag}>{''.join(_members(shape, value, service))}</{tag}>"
    if shape.type_name == "list":
        item = shape.member.serialization.get("name", "item" if service == "ec2" else "member")
        return f"<{tag}>{''.join(_element(item, shape.member, entry, service) for entry in value)}</{tag}>"
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return f"<{tag}>{datetime.fromtimestamp(value, UTC).isoformat()}</{tag}>"
    return f"<{tag}>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</{tag}>"

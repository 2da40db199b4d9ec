"""MiniStack's load balancer, taught weights and target health: its functions are replaced where they know neither."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from inferfleet.localcloud.ecs import balancer as targets
from inferfleet.localcloud.ecs.launch import Json

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.balancer import Address, Balancer, Target

Response = tuple[int, dict[str, Any], Any]


class LoadBalancing:
    """The calls and the request path of Elastic Load Balancing that a balancer has a say in."""

    def __init__(self, balancer: Balancer) -> None:
        from ministack.services import alb
        from ministack.services.cloudformation import provisioners

        self._alb = alb
        self._balancer = balancer
        self._parse_actions = alb._parse_actions
        self._action_xml = alb._action_xml
        self._execute_actions = alb._execute_actions
        self._describe_groups = alb._describe_tgs
        self._template_actions = provisioners._elbv2_listener_actions

    def install(self) -> None:
        """Puts them in the place of MiniStack's."""
        from ministack.services.cloudformation import provisioners

        alb = self._alb
        alb._parse_actions = self.parse_actions
        alb._action_xml = self.action_xml
        alb._execute_actions = self.execute_actions
        alb._forward_to_tg = self.forward
        alb._ACTION_MAP.update(
            DescribeTargetGroups=self.describe_target_groups,
            RegisterTargets=self.register_targets,
            DeregisterTargets=self.deregister_targets,
            DescribeTargetHealth=self.describe_target_health,
        )
        provisioners._elbv2_listener_actions = self.template_actions

    def parse_actions(self, params: Json, prefix: str = "DefaultActions") -> list[Json]:
        """Actions of a request, with the weights of their target groups."""
        actions: list[Json] = self._parse_actions(params, prefix)
        value = self._alb._p
        for number, action in enumerate(actions, start=1):
            base = f"{prefix}.member.{number}.ForwardConfig"
            groups: list[Json] = []
            while arn := value(params, f"{base}.TargetGroups.member.{len(groups) + 1}.TargetGroupArn"):
                weight = value(params, f"{base}.TargetGroups.member.{len(groups) + 1}.Weight", "1")
                groups.append({"TargetGroupArn": arn, "Weight": int(weight or 1)})
            if groups:
                action["ForwardConfig"] = {"TargetGroups": groups}
        return actions

    def template_actions(self, properties: Json, load_balancer: str, prop: str = "DefaultActions") -> list[Json]:
        """Actions of a resource in a template, with the weights of their target groups."""
        actions: list[Json] = self._template_actions(properties, load_balancer, prop)
        given = [action for action in properties.get(prop) or [] if isinstance(action, dict)]
        for action, source in zip(actions, given, strict=True):
            groups = (source.get("ForwardConfig") or {}).get("TargetGroups") or []
            if groups:
                action["ForwardConfig"] = {
                    "TargetGroups": [
                        {"TargetGroupArn": group["TargetGroupArn"], "Weight": int(group.get("Weight", 1))}
                        for group in groups
                    ]
                }
        return actions

    def action_xml(self, action: Json) -> str:
        """An action, as DescribeRules and DescribeListeners show it."""
        shown = str(self._action_xml(action))
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
        if action["Type"] != "forward" or not (groups or action.get("TargetGroupArn")):
            return shown
        groups = groups or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
        members = "".join(
            f"<member><TargetGroupArn>{escape(group['TargetGroupArn'])}</TargetGroupArn>"
            f"<Weight>{group.get('Weight', 1)}</Weight></member>"
            for group in groups
        )
        config = (
            f"<ForwardConfig><TargetGroups>{members}</TargetGroups>"
            "<TargetGroupStickinessConfig><Enabled>false</Enabled></TargetGroupStickinessConfig></ForwardConfig>"
        )
        return shown.removesuffix("</member>") + config + "</member>"

    async def execute_actions(self, actions: list[Json], *args: Any, **options: Any) -> Response:
        """Runs a rule's actions; a forward action with weights becomes one to a single target group first."""
        chosen = []
        for action in actions:
            groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
            chosen.append({**action, "TargetGroupArn": targets.weighted(groups)} if groups else action)
        response: Response = await self._execute_actions(chosen, *args, **options)
        return response

    async def forward(  # noqa: PLR0917 - as MiniStack calls it
        self,
        group_arn: str,
        method: str,
        path: str,
        headers: Json,
        body: bytes,
        query: Json,
        raw_query: str | None = None,
        raw_path: str | None = None,
    ) -> Response:
        """Passes a request on to the target whose turn it is."""
        alb = self._alb
        group = alb._tgs.get(group_arn)
        if group is None:
            return _refused(502, f"target group {group_arn} does not exist")
        if group.get("TargetType") == "lambda":
            if not (listed := alb._targets.get(group_arn)):
                return _refused(503, "no target is registered")
            answer: Response = await alb._invoke_lambda_target(
                listed[0]["Id"], group_arn, method, path, headers, body, query, raw_query
            )
            return answer
        chosen = self._balancer.begin(group_arn)
        if chosen is None:
            self._balancer.failed(group_arn)
            return _refused(503, "no target is registered")
        (_, host, port), target = chosen
        begun = time.monotonic()
        try:
            response: Response = await alb._proxy_http_target(
                {"Id": host, "Port": port}, group, method, raw_path or path, headers, body, query, raw_query
            )
        except BaseException:
            self._balancer.end(target)
            raise
        return self._watched(response, group_arn, target, time.monotonic() - begun)

    def describe_target_groups(self, params: Json) -> Response:
        """DescribeTargetGroups, with the load balancers that really use each."""
        used = targets.groups_in_use()
        for arn, group in self._alb._tgs.items():
            group["LoadBalancerArns"] = sorted(used.get(arn, ()))
        response: Response = self._describe_groups(params)
        return response

    def register_targets(self, params: Json) -> Response:
        """RegisterTargets."""
        alb = self._alb
        arn = alb._p(params, "TargetGroupArn")
        if arn not in alb._tgs:
            return self._no_group(arn)
        for entry in alb._parse_targets_param(params):
            if alb._tgs[arn].get("TargetType") == "lambda":
                alb._targets.setdefault(arn, []).append(entry)
            else:
                self._balancer.register(self._address(arn, entry))
        done: Response = alb._empty("RegisterTargets")
        return done

    def deregister_targets(self, params: Json) -> Response:
        """DeregisterTargets, which returns at once and lets the targets drain."""
        from ministack.core.concurrency import spawn_background

        alb = self._alb
        arn = alb._p(params, "TargetGroupArn")
        if arn not in alb._tgs:
            return self._no_group(arn)
        entries = alb._parse_targets_param(params)
        if alb._tgs[arn].get("TargetType") == "lambda":
            gone = {entry["Id"] for entry in entries}
            alb._targets[arn] = [entry for entry in alb._targets.get(arn, []) if entry["Id"] not in gone]
        else:
            addresses = [self._address(arn, entry) for entry in entries]
            spawn_background(self._balancer.deregister, addresses, drains=True, thread_name="elb-drain")
        done: Response = alb._empty("DeregisterTargets")
        return done

    def describe_target_health(self, params: Json) -> Response:
        """DescribeTargetHealth, from what probes have found."""
        alb = self._alb
        arn = alb._p(params, "TargetGroupArn")
        if arn not in alb._tgs:
            return self._no_group(arn)
        wanted = {entry["Id"] for entry in alb._parse_targets_param(params)}
        is_used = arn in targets.groups_in_use()
        members = "".join(
            _health_xml(address, target, is_used=is_used)
            for address, target in self._balancer.of_group(arn)
            if not wanted or address[1] in wanted
        )
        described = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        done: Response = alb._xml(200, "DescribeTargetHealth", described)
        return done

    def _address(self, group: str, entry: Json) -> Address:
        return group, str(entry["Id"]), int(entry.get("Port") or self._alb._tgs[group].get("Port", 80))

    def _no_group(self, arn: str) -> Response:
        refused: Response = self._alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
        return refused

    def _watched(self, response: Response, group: str, target: Target, seconds: float) -> Response:
        """A response that is counted, and whose request is over once all of it has been sent."""
        from ministack.core.responses import StreamingResponse

        status, headers, body = response
        if not isinstance(body, StreamingResponse):
            self._balancer.failed(group)
            self._balancer.end(target)
            return response
        self._balancer.answered(group, status, seconds)
        inner = body.runner

        async def runner(send: Any, receive: Any) -> None:
            try:
                await inner(send, receive)
            finally:
                self._balancer.end(target)

        return status, headers, StreamingResponse(runner)


def _health_xml(address: Address, target: Target, *, is_used: bool) -> str:
    state, reason, text = target.state, target.reason, target.text
    if not is_used:
        state, reason = "unused", "Target.NotInUse"
        text = "Target group is not configured to receive traffic from the load balancer"
    why = f"<Reason>{reason}</Reason><Description>{escape(text)}</Description>" if reason else ""
    return (
        f"<member><Target><Id>{address[1]}</Id><Port>{address[2]}</Port></Target>"
        f"<HealthCheckPort>{address[2]}</HealthCheckPort>"
        f"<TargetHealth><State>{state}</State>{why}</TargetHealth></member>"
    )


def _refused(status: int, message: str) -> Response:
    return status, {"Content-Type": "text/plain"}, message.encode()

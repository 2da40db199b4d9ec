"""Elastic IP addresses at NAT gateways: MiniStack keeps both, and lets neither know of the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

_Answer = tuple[int, dict[str, str], bytes]
_Action = Callable[[Mapping[str, Any]], _Answer]
_GATEWAY = re.compile(rb"<natGatewayId>(nat-\w+)</natGatewayId>(.*?)<natGatewayAddressSet/>", re.DOTALL)


def install() -> None:
    """Ties the two together in EC2's calls."""
    from ministack.services import ec2

    actions: dict[str, _Action] = ec2._ACTION_MAP
    actions["CreateNatGateway"] = _creating(actions["CreateNatGateway"])
    actions["DescribeNatGateways"] = _describing(actions["DescribeNatGateways"])
    actions["DeleteNatGateway"] = _deleting(actions["DeleteNatGateway"])
    actions["ReleaseAddress"] = _releasing(actions["ReleaseAddress"])


def _creating(create: _Action) -> _Action:
    def answer(params: Mapping[str, Any]) -> _Answer:
        from ministack.services import ec2

        allocation = ec2._p(params, "AllocationId")
        public = (ec2._p(params, "ConnectivityType") or "public") == "public"
        if public and allocation not in ec2._addresses:
            refusal: _Answer = ec2._error(
                "InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist", 400
            )
            return refusal
        status, headers, body = create(params)
        if allocation in ec2._addresses and (made := re.search(rb"<natGatewayId>nat-(\w+)<", body)):
            suffix = made[1].decode()
            ec2._addresses[allocation] |= {
                "AssociationId": f"eipassoc-{suffix}", "NetworkInterfaceId": f"eni-{suffix}",
            }  # fmt: skip
        return status, headers, _filled(body)

    return answer


def _describing(describe: _Action) -> _Action:
    def answer(params: Mapping[str, Any]) -> _Answer:
        status, headers, body = describe(params)
        return status, headers, _filled(body)

    return answer


def _deleting(delete: _Action) -> _Action:
    def answer(params: Mapping[str, Any]) -> _Answer:
        from ministack.services import ec2

        gateway = ec2._nat_gateways.get(ec2._p(params, "NatGatewayId")) or {}
        answered = delete(params)
        address = ec2._addresses.get(gateway.get("AllocationId"))
        if address is not None:
            address |= {"AssociationId": None, "NetworkInterfaceId": None}
        return answered

    return answer


def _releasing(release: _Action) -> _Action:
    def answer(params: Mapping[str, Any]) -> _Answer:
        from ministack.services import ec2

        address = ec2._addresses.get(ec2._p(params, "AllocationId")) or {}
        if address.get("AssociationId"):
            refusal: _Answer = ec2._error("InvalidIPAddress.InUse", f"Address {address['PublicIp']} is in use.", 400)
            return refusal
        return release(params)

    return answer


def _filled(body: bytes) -> bytes:
    """An answer about NAT gateways with the addresses that it leaves out."""
    return _GATEWAY.sub(_with_address, body)


def _with_address(found: re.Match[bytes]) -> bytes:
    from ministack.services import ec2

    gateway = ec2._nat_gateways.get(found[1].decode()) or {}
    address = ec2._addresses.get(gateway.get("AllocationId"))
    if address is None:
        return found[0]
    members = {
        "allocationId": address["AllocationId"],
        "publicIp": address["PublicIp"],
        "networkInterfaceId": address["NetworkInterfaceId"] or "",
        "associationId": address["AssociationId"] or "",
        "isPrimary": "true",
        "status": "succeeded",
    }
    item = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    filled = f"<natGatewayAddressSet><item>{item}</item></natGatewayAddressSet>"
    return found[0].replace(b"<natGatewayAddressSet/>", filled.encode())

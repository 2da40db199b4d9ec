"""What an Xid asks for: NVIDIA's catalog as versioned data, the decoding of the Xids whose text decides, and overrides.

Vendors disagree on some Xids (63, 68, 92, 109), so every answer names its source and any of them can be overridden.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from inferfleet.recovery.core.terms import Rung

_RUNGS = {
    "IGNORE": Rung.NONE,
    "RESTART_APP": Rung.NONE,
    "CHECK_UVM": Rung.EXAMINE,
    "UNDOCUMENTED": Rung.EXAMINE,
    "RESET_GPU": Rung.RESET_GPU,
    "RESTART_VM": Rung.REBOOT,
    "RESTART_BM": Rung.REBOOT,
    "REPLACE": Rung.REPLACE,
    "CHECK_MECHANICALS": Rung.PERSON,
    "UPDATE_SWFW": Rung.PERSON,
    "CONTACT_SUPPORT": Rung.PERSON,
}
"""Our rung for each of the catalog's immediate actions. What the catalog does not document is examined."""

_RECOVERY_ACTIONS = (
    ("drain and reset", "RESET_GPU"),
    ("drain p2p", "RESET_GPU"),
    ("node reboot", "RESTART_BM"),
    ("gpu reset", "RESET_GPU"),
    ("none", "IGNORE"),
)
"""Names in the text of Xid 154, longest first: NVML's `nvmlDeviceGpuRecoveryAction_t`."""

_NEW_ACTION = re.compile(r"\bto\s+0x[0-9a-f]+\s*\(([^)]*)\)", re.IGNORECASE)
_LINE = re.compile(r"NVRM:\s*Xid\s*\((?:PCI:)?(?P<pci>[0-9a-fA-F:.]+)\):\s*(?P<xid>\d+)(?:,\s*(?P<text>.*))?$")


@dataclass(frozen=True, slots=True)
class XidLine:
    """One Xid from the kernel's log."""

    xid: int
    pci: str
    text: str


def parse_line(line: str) -> XidLine | None:
    """Reads a kernel log line such as `NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus`; None for others."""
    match = _LINE.search(line.rstrip())
    if match is None:
        return None
    return XidLine(int(match["xid"]), match["pci"], match["text"] or "")


@dataclass(frozen=True, slots=True)
class XidAdvice:
    """What to do about an Xid, and who says so."""

    xid: int
    action: str
    rung: Rung
    text: str
    source: str
    restart_app: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """Xid number → action. `overrides` come from the user and win."""

    version: str
    source: str
    actions: Mapping[int, str]
    texts: Mapping[int, str]
    notes: Mapping[int, str] = field(default_factory=dict)
    overrides: Mapping[int, str] = field(default_factory=dict)

    def advise(self, xid: int, text: str = "") -> XidAdvice:
        """Says what one Xid asks for.

        Args:
            xid: Its number.
            text: The rest of the log line: it decides for 48, 74, 144 to 150 and 154.
        """
        if xid in self.overrides:
            action, source = self.overrides[xid], "override"
        else:
            action, source = self.actions.get(xid, "UNDOCUMENTED"), f"catalog {self.version}"
        resolved = _resolve(action, text)
        return XidAdvice(
            xid=xid,
            action=resolved,
            rung=_RUNGS[resolved],
            text=self.texts.get(xid, "not in the catalog"),
            source=source,
            restart_app=resolved == "RESTART_APP",
        )

    def advise_all(self, seen: Iterable[tuple[int, str]]) -> XidAdvice | None:
        """The strongest advice of several Xids of one moment; 45 only repeats another one's cause."""
        advice = [self.advise(xid, text) for xid, text in seen]
        if not advice:
            return None
        return max(advice, key=lambda item: (item.rung, item.restart_app, item.xid != 45))  # noqa: PLR2004


def _resolve(action: str, text: str) -> str:
    """Follows the catalog's workflows as far as the log line allows; where it does not, the answer fails closed."""
    low = text.lower()
    match action:
        case "WORKFLOW_XID_45":
            return "RESTART_APP"
        case "WORKFLOW_XID_48":
            return "REPLACE" if "sram" in low and "threshold" in low and "exceed" in low else "RESET_GPU"
        case "WORKFLOW_NVLINK_ERR":
            return "RESET_GPU"
        case "WORKFLOW_NVLINK5_ERR":
            return "IGNORE" if re.search(r"\bnon-?fatal\b", low) else "RESET_GPU"
        case "XID_154":
            return _recovery_action(low)
        case _:
            return action


def _recovery_action(text: str) -> str:
    match = _NEW_ACTION.search(text)
    named = match[1] if match else text
    return next((action for name, action in _RECOVERY_ACTIONS if name in named), "RESET_GPU")


def load_catalog(overrides: Mapping[str, str] | None = None) -> Catalog:
    """Loads the catalog that ships with inferfleet.

    Args:
        overrides: Xid → action, as `recovery.xid_overrides` in fleet.yaml gives it.

    Raises:
        ValueError: If an override names no Xid or an unknown action.
    """
    raw: dict[str, Any] = json.loads(
        resources.files("inferfleet.recovery.core").joinpath("data/xid_catalog.json").read_text("utf-8")
    )
    chosen: dict[int, str] = {}
    for key, action in (overrides or {}).items():
        if not str(key).isdigit():
            raise ValueError(f'xid_overrides: "{key}" is not an Xid number')
        if action not in _RUNGS:
            raise ValueError(f'xid_overrides: {key}: unknown action "{action}"; known are {", ".join(sorted(_RUNGS))}')
        chosen[int(key)] = action
    return Catalog(
        version=raw["version"],
        source=raw["source"],
        actions={int(key): item["action"] for key, item in raw["xids"].items()},
        texts={int(key): item["text"] for key, item in raw["xids"].items()},
        notes={int(key): text for key, text in raw["notes"].items()},
        overrides=chosen,
    )

"""Reads what `dcgmi diag -j` says, in the formats of DCGM 3 and 4, and gives one of three verdicts.

DCGM's JSON has no stable schema, so the reader takes what it needs and fails closed: a failure without a severity
counts against the node; an output that cannot be read is inconclusive, never a pass.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from inferfleet.recovery.core.observations import Verdict
from inferfleet.recovery.core.terms import Rung


class ErrorSeverity(IntEnum):
    """DCGM's `dcgmErrorSeverity_t`."""

    NONE = 0
    MONITOR = 1
    ISOLATE = 2
    UNKNOWN = 3
    TRIAGE = 4
    CONFIG = 5
    RESET = 6


_RUNG_OF_SEVERITY = {
    ErrorSeverity.NONE: Rung.NONE,
    ErrorSeverity.MONITOR: Rung.NONE,
    ErrorSeverity.CONFIG: Rung.NONE,
    ErrorSeverity.RESET: Rung.RESET_GPU,
    ErrorSeverity.TRIAGE: Rung.REBOOT,
    ErrorSeverity.UNKNOWN: Rung.REBOOT,
    ErrorSeverity.ISOLATE: Rung.REBOOT,
}
"""A setting (persistence mode off) or a thing to watch condemns no node. ISOLATE is rebooted once, then replaced."""

_EXIT_STATUS: dict[int, tuple[Verdict, Rung, str]] = {
    0: (Verdict.PASS, Rung.NONE, "passed"),
    226: (Verdict.FAIL, Rung.REBOOT, "diagnosis failed"),
    205: (Verdict.FAIL, Rung.REBOOT, "isolate the node"),
    237: (Verdict.FAIL, Rung.RESET_GPU, "GPU needs a reset"),
    238: (Verdict.FAIL, Rung.REBOOT, "GPU lost"),
    217: (Verdict.INCONCLUSIVE, Rung.NONE, "another diagnosis was running"),
    235: (Verdict.INCONCLUSIVE, Rung.NONE, "no connection to the DCGM host engine"),
}
"""`dcgmi`'s return code & 0xFF."""

_SIGNAL_BASE = 128
_ROOTS = ("DCGM Diagnostic", "DCGM GPU Diagnostic")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A verdict, the rung it asks for, and why."""

    verdict: Verdict
    rung: Rung
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    test: str
    entity: str
    severity: ErrorSeverity | None
    text: str


def read_diagnosis(exit_code: int | None, output: str = "") -> Diagnosis:
    """Gives the verdict of one `dcgmi diag -j`.

    Args:
        exit_code: The container's exit status; None where ECS reports none.
        output: What it printed; may hold other lines around the JSON, or nothing.

    Returns:
        PASS only if the run ended well and no test failed with a severity that condemns.
    """
    if exit_code is None:
        return Diagnosis(Verdict.INCONCLUSIVE, Rung.NONE, ("the diagnostic task ended without an exit status",))
    report = _find_report(output)
    if report is not None:
        judged = _judge(report)
        if judged is not None:
            return _with_exit_status(judged, exit_code)
    if exit_code == 0 and any(root in output for root in _ROOTS):
        return Diagnosis(Verdict.INCONCLUSIVE, Rung.NONE, ("dcgmi's report is cut off or holds no result",))
    return _from_exit_status(exit_code)


def _from_exit_status(exit_code: int) -> Diagnosis:
    if exit_code in _EXIT_STATUS:
        verdict, rung, text = _EXIT_STATUS[exit_code]
        return Diagnosis(verdict, rung, (f"dcgmi exit {exit_code}: {text}",))
    if _SIGNAL_BASE < exit_code < _SIGNAL_BASE + 65:
        return Diagnosis(Verdict.INCONCLUSIVE, Rung.NONE, (f"dcgmi was killed by signal {exit_code - _SIGNAL_BASE}",))
    return Diagnosis(Verdict.INCONCLUSIVE, Rung.NONE, (f"dcgmi exit {exit_code}: not a status that it documents",))


def _with_exit_status(judged: Diagnosis, exit_code: int) -> Diagnosis:
    """Joins both: a report may explain a failing exit (severity CONFIG), an exit may condemn what a report left out."""
    status = _from_exit_status(exit_code)
    if judged.verdict is Verdict.FAIL:
        return judged
    if status.verdict is Verdict.INCONCLUSIVE:
        return status
    if exit_code in (205, 237, 238):
        return status
    if exit_code == 226 and judged.reasons == ():  # noqa: PLR2004
        return status
    return judged


def _find_report(output: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder()
    at = output.find("{")
    while at >= 0:
        try:
            value, _ = decoder.raw_decode(output, at)
        except ValueError:
            value = None
        if isinstance(value, dict) and any(root in value for root in _ROOTS):
            return value
        at = output.find("{", at + 1)
    return None


def _judge(report: dict[str, Any]) -> Diagnosis | None:
    """Judges a report; None if it holds no test at all."""
    root = next(report[name] for name in _ROOTS if name in report)
    results = list(_results(root))
    if not results:
        return None
    if not any(status in {"pass", "fail", "warn", "warning"} for _, status, _ in results):
        return None
    findings = [found for test, status, result in results if status == "fail" for found in _findings(test, result)]
    reasons = tuple(f"{item.test} {item.entity}: {item.text}".strip() for item in findings)
    rung = max((_rung(item.severity) for item in findings), default=Rung.NONE)
    if rung is Rung.NONE:
        return Diagnosis(Verdict.PASS, Rung.NONE, reasons)
    return Diagnosis(Verdict.FAIL, rung, reasons)


def _rung(severity: ErrorSeverity | None) -> Rung:
    return Rung.REBOOT if severity is None else _RUNG_OF_SEVERITY[severity]


def _results(root: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every result as (test, status in lower case, raw); tolerates nulls and missing lists."""
    if not isinstance(root, dict):
        return
    for category in root.get("test_categories") or []:
        for test in (category or {}).get("tests") or []:
            if not isinstance(test, dict):
                continue
            name = str(test.get("name", "test"))
            seen = [item for item in test.get("results") or [] if isinstance(item, dict)]
            for result in seen:
                yield name, str(result.get("status", "")).lower(), result
            summary = test.get("test_summary")
            if isinstance(summary, dict) and not any(str(item.get("status", "")).lower() == "fail" for item in seen):
                yield name, str(summary.get("status", "")).lower(), summary


def _findings(test: str, result: dict[str, Any]) -> Iterator[_Finding]:
    entity = _entity(result)
    warnings = result.get("warnings") or result.get("warning") or []
    if not isinstance(warnings, list):
        warnings = [warnings]
    if not warnings:
        yield _Finding(test, entity, None, "failed")
    for warning in warnings:
        if isinstance(warning, dict):
            text = str(warning.get("warning") or warning.get("message") or "failed")
            yield _Finding(test, entity, _severity(warning.get("error_severity")), text)
        else:
            yield _Finding(test, entity, None, str(warning))


def _severity(value: Any) -> ErrorSeverity | None:
    try:
        return ErrorSeverity(int(value))
    except (TypeError, ValueError):
        return None


def _entity(result: dict[str, Any]) -> str:
    if "entity_id" in result:
        return f"{result.get('entity_group', 'GPU')} {result['entity_id']}"
    gpus = result.get("gpu_ids", result.get("gpu_id"))
    return "" if gpus is None else f"GPU {gpus}"

"""The reader of `dcgmi diag`: three verdicts from what two versions of DCGM print."""

from __future__ import annotations

import json

import pytest

from inferfleet.recovery.core.dcgm import read_diagnosis
from inferfleet.recovery.core.observations import Verdict
from inferfleet.recovery.core.terms import Rung


def _v4(*results: dict, root: str = "DCGM Diagnostic") -> str:
    tests = [{"name": "memory", "results": list(results)}]
    return json.dumps({root: {"test_categories": [{"category": "Hardware", "tests": tests}]}, "metadata": {}})


def _fail(severity: object) -> dict:
    warning = {"error_id": 1, "warning": "broken"}
    if severity is not None:
        warning["error_severity"] = severity
    return {"entity_group": "GPU", "entity_id": 3, "status": "Fail", "warnings": [warning]}


def test_a_real_report_of_version_3_with_nulls_and_integer_gpus_passes(shared_data):
    found = read_diagnosis(0, (shared_data / "gpu/dcgm3_level1.json").read_text())
    assert found.verdict is Verdict.PASS


def test_a_real_report_of_version_4_fails_only_on_a_setting_and_passes(shared_data):
    found = read_diagnosis(226, (shared_data / "gpu/dcgm4_level1.json").read_text())
    assert found.verdict is Verdict.PASS
    assert "Persistence" in found.reasons[0]


@pytest.mark.parametrize(
    ("severity", "verdict", "rung"),
    [
        (0, Verdict.PASS, Rung.NONE),
        (1, Verdict.PASS, Rung.NONE),
        (2, Verdict.FAIL, Rung.REBOOT),
        (4, Verdict.FAIL, Rung.REBOOT),
        (5, Verdict.PASS, Rung.NONE),
        (6, Verdict.FAIL, Rung.RESET_GPU),
        (None, Verdict.FAIL, Rung.REBOOT),
        ("?", Verdict.FAIL, Rung.REBOOT),
        (77, Verdict.FAIL, Rung.REBOOT),
    ],
)
def test_the_severity_decides_and_a_missing_one_counts_against_the_node(severity, verdict, rung):
    found = read_diagnosis(226, _v4(_fail(severity)))
    assert (found.verdict, found.rung) == (verdict, rung)


def test_the_gravest_of_several_findings_decides():
    found = read_diagnosis(226, _v4(_fail(5), _fail(6), _fail(2)))
    assert (found.verdict, found.rung) == (Verdict.FAIL, Rung.REBOOT)
    assert len(found.reasons) == 3


@pytest.mark.parametrize(
    ("exit_code", "verdict"),
    [
        (0, Verdict.PASS),
        (226, Verdict.FAIL),
        (205, Verdict.FAIL),
        (237, Verdict.FAIL),
        (238, Verdict.FAIL),
        (217, Verdict.INCONCLUSIVE),
        (235, Verdict.INCONCLUSIVE),
        (137, Verdict.INCONCLUSIVE),
        (139, Verdict.INCONCLUSIVE),
        (1, Verdict.INCONCLUSIVE),
        (127, Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_the_exit_status_alone_gives_a_verdict(exit_code, verdict):
    assert read_diagnosis(exit_code).verdict is verdict


def test_a_report_among_other_output_is_found():
    output = "boot-id 1234\n{not json}\n" + _v4({"status": "Pass"}) + "\nbye"
    assert read_diagnosis(0, output).verdict is Verdict.PASS


def test_a_report_that_is_cut_off_is_never_a_pass():
    whole = _v4({"status": "Pass"})
    assert read_diagnosis(0, whole[:-20]).verdict is Verdict.INCONCLUSIVE


def test_a_report_in_which_nothing_was_tested_is_never_a_pass():
    assert read_diagnosis(0, _v4({"status": "Skip"})).verdict is Verdict.INCONCLUSIVE
    assert read_diagnosis(0, json.dumps({"DCGM Diagnostic": None})).verdict is Verdict.INCONCLUSIVE


def test_a_killed_run_is_inconclusive_even_if_its_report_says_pass():
    assert read_diagnosis(137, _v4({"status": "Pass"})).verdict is Verdict.INCONCLUSIVE


def test_a_lost_gpu_fails_although_the_report_of_the_others_says_pass():
    assert read_diagnosis(238, _v4({"status": "Pass"})).verdict is Verdict.FAIL


def test_version_3_failures_with_plain_text_warnings_fail():
    result = {"gpu_ids": 0, "status": "FAIL", "warnings": "double bit errors"}
    found = read_diagnosis(226, _v4(result, root="DCGM GPU Diagnostic"))
    assert found.verdict is Verdict.FAIL
    assert "GPU 0" in found.reasons[0]

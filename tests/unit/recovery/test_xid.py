"""The Xid catalog: what each Xid asks for, by number, by text, and by a user's own rules."""

from __future__ import annotations

import csv

import pytest

from inferfleet.recovery.core.terms import Rung
from inferfleet.recovery.core.xid import load_catalog, parse_line

RESTART_APP = (13, 31, 68, 69, 94)
IGNORE = (43, 63, 92, 121, 137, 157)
RESET_GPU = (46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158)
CONTACT_SUPPORT = (61, 65, 81, 122, 123, 124, 125)


@pytest.mark.parametrize("xid", RESTART_APP)
def test_application_xids_restart_the_application_and_blame_no_gpu(xid):
    advice = load_catalog().advise(xid)
    assert (advice.action, advice.rung, advice.restart_app) == ("RESTART_APP", Rung.NONE, True)


@pytest.mark.parametrize("xid", IGNORE)
def test_harmless_xids_are_ignored(xid):
    assert load_catalog().advise(xid).rung is Rung.NONE


@pytest.mark.parametrize("xid", RESET_GPU)
def test_xids_that_ask_for_a_reset(xid):
    assert load_catalog().advise(xid).rung is Rung.RESET_GPU


@pytest.mark.parametrize("xid", [79, 151])
def test_xids_that_ask_for_a_reboot(xid):
    assert load_catalog().advise(xid).rung is Rung.REBOOT


@pytest.mark.parametrize("xid", CONTACT_SUPPORT)
def test_xids_that_ask_for_a_person(xid):
    assert load_catalog().advise(xid).rung is Rung.PERSON


@pytest.mark.parametrize(
    ("xid", "text", "rung"),
    [
        (154, "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)", Rung.RESET_GPU),
        (154, "GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)", Rung.REBOOT),
        (154, "GPU recovery action changed from 0x0 (None) to 0x3 (Drain P2P)", Rung.RESET_GPU),
        (154, "GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)", Rung.RESET_GPU),
        (154, "GPU recovery action changed from 0x2 (Node Reboot Required) to 0x0 (None)", Rung.NONE),
        (154, "something else", Rung.RESET_GPU),
        (149, "NETIR_LINK_EVT Nonfatal XC1 i0 Link 08", Rung.NONE),
        (149, "NETIR_LINK_EVT Fatal XC0 i0 Link 08", Rung.RESET_GPU),
        (145, "", Rung.RESET_GPU),
        (74, "NVLink: fatal error detected on link 1", Rung.RESET_GPU),
        (48, "An uncorrectable double bit error", Rung.RESET_GPU),
        (48, "SRAM threshold exceeded", Rung.REPLACE),
        (45, "Ch 00000010", Rung.NONE),
    ],
)
def test_the_text_decides_where_the_number_does_not(xid, text, rung):
    assert load_catalog().advise(xid, text).rung is rung


def test_xid_45_follows_the_xid_that_caused_it():
    assert load_catalog().advise_all([(45, ""), (79, "")]).xid == 79
    assert load_catalog().advise_all([(45, "")]).restart_app
    assert load_catalog().advise_all([]) is None


def test_an_unknown_xid_is_examined():
    assert load_catalog().advise(999).rung is Rung.EXAMINE


def test_a_users_rule_wins_and_says_so():
    advice = load_catalog({"63": "RESET_GPU"}).advise(63)
    assert (advice.rung, advice.source) == (Rung.RESET_GPU, "override")
    assert load_catalog().advise(63).source == "catalog 2025-10"


@pytest.mark.parametrize(("key", "action"), [("79", "PRAY"), ("bus", "IGNORE")])
def test_a_rule_that_makes_no_sense_is_refused_by_name(key, action):
    with pytest.raises(ValueError, match="xid_overrides"):
        load_catalog({key: action})


def test_the_catalog_holds_every_xid_of_its_source(shared_data):
    with (shared_data / "gpu/xid_catalog.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    catalog = load_catalog()
    assert len(rows) == len(catalog.actions)
    for row in rows:
        assert catalog.actions[int(row["xid"])] == (row["immediate"] or "UNDOCUMENTED")


def test_kernel_log_lines_are_read():
    line = "[ 9.1] NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus."
    found = parse_line(line)
    assert (found.xid, found.pci) == (79, "0000:3b:00")
    assert found.text.endswith("the bus.")
    assert parse_line("NVRM: Xid (PCI:0000:3b:00): 63").xid == 63
    assert parse_line("nothing to see") is None

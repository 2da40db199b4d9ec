"""The linter against the guides that it was first written for: all that is known to be wrong, and nothing else."""

import datetime
import importlib.util
from pathlib import Path

import pytest

from inferfleet.deploy.lint import engine, registry

_SPEC = importlib.util.spec_from_file_location("seed_table", Path(__file__).with_name("seed_table.py"))
table = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(table)

TODAY = datetime.date(2026, 11, 21)


@pytest.fixture(scope="module")
def findings(seeds):
    report = engine.lint_paths(seeds, engine.Options(today=TODAY))
    names = {str(path): f"S{number}" for number, path in enumerate(seeds)}
    return {(names[f.place.file], f.place.line, f.rule) for f in report.findings}


def test_every_known_mistake_that_a_file_shows_is_found(findings):
    expected = {place for entry in table.ENTRIES.values() for place in entry.found}
    assert expected - findings == set()


def test_nothing_is_found_without_a_line_in_the_table(findings):
    known = {place for entry in table.ENTRIES.values() for place in entry.found} | set(table.BEYOND)
    assert findings - known == set()


def test_the_table_accounts_for_every_known_mistake():
    assert sorted(table.ENTRIES) == list(range(1, 72))
    assert all(bool(entry.found) != bool(entry.why_not) for entry in table.ENTRIES.values())


def test_whatever_aws_rejects_is_found():
    rejected = [entry for entry in table.ENTRIES.values() if entry.kind == "REJ"]
    assert rejected
    assert all(entry.found for entry in rejected)


def test_most_failures_and_risks_are_found():
    for kind, share in (("FAIL", 0.95), ("RISK", 0.7)):
        entries = [entry for entry in table.ENTRIES.values() if entry.kind == kind]
        assert sum(bool(entry.found) for entry in entries) >= share * len(entries)


def test_the_table_names_rules_that_exist():
    known = {rule.id for rule in registry.all_rules()}
    named = {rule for entry in table.ENTRIES.values() for _, _, rule in entry.found} | {
        rule for _, _, rule in table.BEYOND
    }
    assert named <= known

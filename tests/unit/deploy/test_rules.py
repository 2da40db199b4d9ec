"""Every rule finds its own mistake, and is silent on its own correction."""

import datetime

import pytest

from inferfleet.deploy.lint import engine, registry

OPTIONS = engine.Options(today=datetime.date(2026, 11, 21))
RULES = registry.all_rules()
each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])


def lint(rule, text):
    example = rule.example
    return engine.lint_texts({example.file: text.strip("\n"), **example.beside}, OPTIONS)


@each_rule
def test_it_finds_its_mistake(rule):
    report = lint(rule, rule.example.bad)
    assert rule.id in {finding.rule for finding in report.findings}


@each_rule
def test_its_correction_has_no_findings_of_any_rule(rule):
    report = lint(rule, rule.example.good)
    assert [(f.rule, f.message) for f in report.findings] == []


@each_rule
def test_it_points_into_the_text(rule):
    report = lint(rule, rule.example.bad)
    texts = {rule.example.file: rule.example.bad.strip("\n"), **rule.example.beside}
    for finding in report.findings:
        lines = texts[finding.place.file].split("\n")
        assert 1 <= finding.place.line <= len(lines)
        assert finding.line == lines[finding.place.line - 1]
        assert 1 <= finding.place.column <= len(finding.line) + 1


@each_rule
def test_it_says_what_why_how_and_where_from(rule):
    assert rule.title
    assert rule.why.endswith(".")
    assert rule.fix.endswith(".")
    assert rule.source.startswith("https://")


def test_there_are_at_least_sixty_rules_with_ids_of_their_own():
    assert len(RULES) >= 60
    assert len({rule.id for rule in RULES}) == len(RULES)

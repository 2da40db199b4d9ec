from inferfleet.deploy.formatters import explain, machine, text
from inferfleet.deploy.lint import engine, registry

BAD = "aws ecs create-cluster --cluster-name vision --tags Key=Project,Value=vision\n"


def report(directive=""):
    return engine.lint_texts({"a b/cluster.sh": directive + BAD})


def test_text_shows_the_place_the_line_and_a_caret_under_the_mistake():
    head, line, caret, summary = text.render(report(), colour=False).split("\n")
    assert head.startswith("a b/cluster.sh:1:53: error: ")
    assert head.endswith("[shell/aws-cli]")
    assert line[caret.index("^") :].startswith("Key=Project")
    assert summary == "1 file: 1 error"


def test_text_has_no_colours_when_none_are_wanted():
    assert "\x1b" not in text.render(report(), colour=False)
    assert "\x1b" in text.render(report(), colour=True)


def test_json_has_what_a_program_needs():
    data = machine.as_json(report())
    assert data["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert data["findings"][0]["rule"] == "shell/aws-cli"
    assert data["findings"][0]["line"] == 1


def test_sarif_names_its_rules_and_places():
    log = machine.as_sarif(report())
    (run,) = log["runs"]
    (result,) = run["results"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "shell/aws-cli"
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/cluster.sh"
    assert location["region"]["startLine"] == 1
    assert "suppressions" not in result


def test_sarif_keeps_what_is_suppressed_with_its_reason():
    (result,) = machine.as_sarif(report("# inferfleet: ignore[shell/aws-cli] rewritten later\n"))["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "rewritten later"}]


def test_a_page_holds_the_mistake_the_correction_and_the_source():
    rule = registry.find("ecs/gpu-on-fargate")
    page = explain.page(rule)
    assert page.startswith("# ecs/gpu-on-fargate\n")
    for part in (rule.why, rule.fix, rule.example.bad.strip(), rule.example.good.strip(), rule.source):
        assert part in page

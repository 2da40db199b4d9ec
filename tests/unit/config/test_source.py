"""YAML with places and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.config.source import load, parse
from inferfleet.errors import InputError


def test_every_value_is_traced_to_the_line_and_column_of_its_key() -> None:
    document = parse("a:\n  - b: 1\n  - c:\n      d: 2\n", "f.yaml", {})
    assert str(document.source.find(("a", 1, "c", "d"))) == "f.yaml:4:7"
    assert str(document.source.find(("a", 1, "c", "missing"))) == "f.yaml:3:5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x: ${PORT}", 8080),
        ("x: '${PORT}'", "8080"),
        ("x: p${PORT}", "p8080"),
        ("x: ${NONE:-7}", 7),
        ("x: ${EMPTY:-full}", "full"),
        ("x: ${NONE:-}", None),
        ("x: $${PORT}", "${PORT}"),
        ("x: ${ON}", True),
        ("x: 08", "08"),
    ],
)
def test_variables_are_expanded_and_unquoted_ones_get_the_type_of_their_value(text: str, value: object) -> None:
    assert parse(text, "f", {"PORT": "8080", "EMPTY": "", "ON": "true"}).data == {"x": value}


def test_a_variable_that_is_not_set_is_an_error_with_its_place() -> None:
    with pytest.raises(InputError, match=r"f\.yaml:2:4: the variable SECRET is not set"):
        parse("a: 1\nb: ${SECRET}\n", "f.yaml", {})


def test_a_value_of_a_variable_cannot_smuggle_in_structure() -> None:
    assert parse("x: ${V}", "f", {"V": "{a: 1}"}).data == {"x": "{a: 1}"}


def test_a_key_given_twice_is_an_error() -> None:
    with pytest.raises(InputError, match=r"f:3:1: `a` is given twice"):
        parse("a: 1\nb: 2\na: 3\n", "f", {})


def test_anchors_and_merges_work() -> None:
    text = "base: &b {x: 1, y: 2}\nmade:\n  <<: *b\n  y: 3\n"
    assert parse(text, "f", {}).data["made"] == {"x": 1, "y": 3}


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\tx: 1", "a: !!python/object:os.system x"])
def test_broken_yaml_is_an_error_with_a_place(text: str) -> None:
    with pytest.raises(InputError, match=r"f:\d+:\d+"):
        parse(text, "f", {})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match="not UTF-8"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")


def test_aliases_cannot_blow_up_memory() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="too many values"):
        parse("\n".join(levels), "f", {})

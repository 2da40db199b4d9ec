import pytest

from inferfleet.config import fleet_env
from inferfleet.errors import InputError


def test_lines_are_read_as_shells_read_them():
    text = """
# comment
A=1
export B="two words"
C='$A literal'
D=${A}-$B
E=value # comment
F=
"""
    assert fleet_env.parse(text, ".env") == {
        "A": "1", "B": "two words", "C": "$A literal", "D": "1-two words", "E": "value", "F": "",
    }  # fmt: skip


def test_what_is_no_assignment_is_named_with_its_line():
    with pytest.raises(InputError, match=r"\.env:2:1: expected NAME=value"):
        fleet_env.parse("A=1\nwhat is this\n", ".env")

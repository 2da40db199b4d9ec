import pytest

from inferfleet.deploy.lint.excerpt import SourceText
from inferfleet.deploy.readers import structured


def read(text):
    return structured.read(SourceText("x.json", text).excerpt())


def test_what_is_not_filled_in_yet_is_read_in_quotes_and_without():
    node = read('{"cpu": ${CPU}, "name": "a-${NAME}",\n "count": 2}')
    assert node.plain() == {"cpu": "${CPU}", "name": "a-${NAME}", "count": 2}
    assert not node["cpu"].known
    assert node["count"].place.line == 2


def test_json_with_tabs_is_json():
    assert read('{\n\t"a": [\n\t\t1,\n\t\ttrue\n\t]\n}').plain() == {"a": [1, True]}


def test_quoted_numbers_stay_text_and_version_like_text_stays_text():
    assert read("a: '1'\nb: 2\nc: 1.5\nd: 1.2.3\ne: on\nf: 0123\n").plain() == {
        "a": "1", "b": 2, "c": 1.5, "d": "1.2.3", "e": "on", "f": "0123",
    }  # fmt: skip


def test_short_forms_of_cloudformation_take_their_long_form():
    assert read("a: !Ref X\nb: !GetAtt Y.Arn\nc: !Sub 'x-${Z}'\n").plain() == {
        "a": {"Ref": "X"}, "b": {"Fn::GetAtt": ["Y", "Arn"]}, "c": {"Fn::Sub": "x-${Z}"},
    }  # fmt: skip


def test_a_missing_value_is_false_and_stands_where_its_parent_does():
    node = read('{"a": {"b": 1}}')
    missing = node["a"]["x"]["y"]
    assert not missing
    assert missing.place == node["a"].place


def test_a_mistake_is_told_with_its_place():
    with pytest.raises(structured.SyntaxProblem) as error:
        read('{"a": 1,\n "b": ]}')
    assert error.value.place.line == 2


@pytest.mark.parametrize("text", ['{"a": }', '{"a": 1,}', "{'a': 1}", '{"a": yes}', '{"a": 1} # no'])
def test_json_is_held_to_its_own_rules(text):
    with pytest.raises(structured.SyntaxProblem):
        structured.check_json(SourceText("x.json", text).excerpt())


def test_variables_without_quotes_are_allowed_where_a_number_may_stand():
    structured.check_json(SourceText("x.json", '{"a": ${A}, "b": [${B}, "${C}"]}').excerpt())

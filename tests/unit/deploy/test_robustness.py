"""Whatever people have in their files, the linter ends with findings and not with a traceback."""

import json
import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.deploy.lint import engine, registry

OPTIONS = engine.Options(external=False)
NAMES = ["a.json", "a.yaml", "a.sh", "a.md", "Dockerfile", ".env", "app.py", "requirements.txt", "fleet.yaml"]
ODD = [None, True, 7, -1.5, "", "${X}", "x" * 300, [], {}, [[]], [None], {"a": None}, ["a", {"b": [1]}]]


@given(st.sampled_from(NAMES), st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_under_any_name_is_survived(name, text):
    engine.lint_texts({name: text}, OPTIONS)


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def mutated(value, chance):
    """The same data with some values replaced by odd ones."""
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {key: mutated(child, chance) for key, child in value.items()}
    if isinstance(value, list):
        return [mutated(child, chance) for child in value]
    return value


@pytest.mark.parametrize("seed", range(12))
def test_data_of_the_wrong_shape_is_survived(seed):
    chance = random.Random(seed)
    texts = {}
    for number, rule in enumerate(registry.all_rules()):
        for name, text in ((rule.example.file, rule.example.bad), *rule.example.beside.items()):
            data = parsed(text)
            if data is not None:
                texts[f"{number}/{name}"] = json.dumps(mutated(data, chance), indent=1)
            elif name.endswith(".yaml"):
                parts = [mutated(part, chance) for part in yaml.safe_load_all(text)]
                texts[f"{number}/{name}"] = yaml.safe_dump_all(parts)
    assert len(texts) > 40
    engine.lint_texts(texts, OPTIONS)


@pytest.mark.parametrize("seed", range(6))
def test_scripts_that_are_cut_or_mixed_up_are_survived(seed):
    chance = random.Random(seed)
    scripts = [rule.example.bad for rule in registry.all_rules() if rule.example.file.endswith((".sh", ".md"))]
    for text in scripts:
        cut = text[: chance.randrange(len(text))]
        swapped = "".join(chance.choice("'\"{}[]$(),= \n") if chance.random() < 0.03 else c for c in text)
        engine.lint_texts({"cut.sh": cut, "swapped.sh": swapped, "guide.md": f"```bash\n{swapped}\n"}, OPTIONS)

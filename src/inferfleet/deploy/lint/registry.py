"""Finds the rules: every module below `rules/` that holds a `RULE` is one."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from inferfleet.deploy import rules
from inferfleet.deploy.lint.rule import Rule
from inferfleet.errors import InputError


@cache
def all_rules() -> tuple[Rule, ...]:
    """Returns every rule, sorted by id."""
    folder = Path(rules.__path__[0])
    found = []
    for path in sorted(folder.glob("*/*.py")):
        if path.stem.startswith("_"):
            continue
        group = path.parent.name
        module = importlib.import_module(f"{rules.__name__}.{group}.{path.stem}")
        found.append(replace(module.RULE, id=f"{group}/{path.stem.replace('_', '-')}"))
    return tuple(found)


def chosen(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Rule]:
    """Returns the rules that a user asked for.

    Args:
        select: Ids or groups to keep; all when empty.
        ignore: Ids or groups to leave out.

    Raises:
        InputError: A word names no rule and no group.
    """
    known = all_rules()
    for word in (*select, *ignore):
        if not _is_external(word) and not any(covers(word, rule.id) for rule in known):
            raise InputError(f"--select/--ignore {word}: no such rule or group{_suggestion(word, known)}")
    return [rule for rule in known if wanted(rule.id, select, ignore)]


def wanted(identifier: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether findings with this id are asked for."""
    kept = not select or any(covers(word, identifier) for word in select)
    return kept and not any(covers(word, identifier) for word in ignore)


def covers(word: str, identifier: str) -> bool:
    """Whether `word` is a rule's id, or a group that holds it."""
    return identifier == word or identifier.startswith(f"{word}/")


def find(identifier: str) -> Rule:
    """Returns one rule.

    Raises:
        InputError: There is none of that id.
    """
    for rule in all_rules():
        if rule.id == identifier:
            return rule
    raise InputError(f"{identifier}: no such rule{_suggestion(identifier, all_rules())}")


def _is_external(word: str) -> bool:
    return word.split("/", maxsplit=1)[0] in ("cfn-lint", "parliament", "kubernetes-validate", "syntax", "suppression")


def _suggestion(word: str, known: Iterable[Rule]) -> str:
    import difflib

    ids = [rule.id for rule in known]
    close = difflib.get_close_matches(word, ids, n=1)
    return f"; did you mean {close[0]}?" if close else f"; groups: {', '.join(sorted({i.split('/')[0] for i in ids}))}"

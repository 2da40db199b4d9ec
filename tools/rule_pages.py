"""Writes `docs/rules/`: a page a rule, made from the rule itself, and a list of all. Run it after changing a rule."""

from __future__ import annotations

import shutil
from itertools import groupby
from pathlib import Path

from inferfleet.deploy.formatters.explain import page
from inferfleet.deploy.lint.registry import all_rules

FOLDER = Path(__file__).parents[1] / "docs" / "rules"

INTRODUCTION = """\
# Rules

What `inferfleet validate` looks for. **error**: AWS, or the tool that reads the file, rejects it. **warning**: it is
accepted, and then fails or hurts. **note**: it works, and there is a better way.

`inferfleet validate --explain RULE` prints a page. `--select` and `--ignore` take rules and groups. In a file,
`# inferfleet: ignore[RULE] reason` hides one finding on its line or on the statement below, and
`# inferfleet: ignore-file[RULE] reason` all in the file; for JSON, which has no comments, a file `.inferfleet-ignore`
beside it has lines `file rule reason`. A reason is required, and a directive that hides nothing is reported.
"""


def pages() -> dict[str, str]:
    """Returns the pages by their path below `docs/rules`."""
    rules = all_rules()
    found = {f"{rule.id}.md": page(rule) for rule in rules}
    lines = [INTRODUCTION]
    for group, members in groupby(rules, key=lambda rule: rule.id.split("/")[0]):
        lines += [f"## {group}", "", "| rule | severity | finds |", "|---|---|---|"]
        lines += [f"| [{rule.id}]({rule.id}.md) | {rule.severity.value} | {rule.title} |" for rule in members]
        lines.append("")
    found["index.md"] = "\n".join(lines).rstrip() + "\n"
    return found


def main() -> None:
    """Writes all pages anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, text in pages().items():
        target = FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    print(f"{FOLDER}: {len(all_rules())} rules")


if __name__ == "__main__":
    main()

"""A rule in full, as a page for the documentation and for `--explain`."""

from __future__ import annotations

from inferfleet.deploy.lint.rule import Rule

_LANGUAGES = {"json": "json", "yaml": "yaml", "yml": "yaml", "sh": "bash", "md": "markdown", "py": "python"}


def page(rule: Rule) -> str:
    """Returns a rule as Markdown."""
    language = _LANGUAGES.get(
        rule.example.file.rsplit(".", 1)[-1], "dockerfile" if "Docker" in rule.example.file else ""
    )
    beside = "".join(
        f"\nBeside it, `{name}`:\n\n{_fenced(text, _LANGUAGES.get(name.rsplit('.', 1)[-1], ''))}\n"
        for name, text in rule.example.beside.items()
    )
    return (
        f"# {rule.id}\n\n**{rule.title}** · {rule.severity.value}\n\n{rule.why}\n\n"
        f"## Instead\n\n{rule.fix}\n\n"
        f"## Found\n\n`{rule.example.file}`\n\n{_fenced(rule.example.bad, language)}\n{beside}\n"
        f"## Correct\n\n{_fenced(rule.example.good, language)}\n\n"
        f"## Source\n\n<{rule.source}>\n"
    )


def _fenced(text: str, language: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.strip()}\n{fence}"

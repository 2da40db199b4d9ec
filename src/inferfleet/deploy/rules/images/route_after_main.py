"""A route that is declared after the server has started."""

import ast
from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

_ROUTES = ("route", "get", "post", "put", "delete", "websocket")


def check(world: Workspace) -> Iterator[Match]:
    """Finds routes below the block that runs the application."""
    for artifact in world.of(kinds.PYTHON):
        if "__main__" not in artifact.node.text:
            continue
        try:
            body = ast.parse(artifact.node.text).body
        except (SyntaxError, ValueError):
            continue
        start = next((i for i, node in enumerate(body) if _runs_application(node)), len(body))
        for node in body[start + 1 :]:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_is_route, node.decorator_list)):
                first = node.decorator_list[0]
                place = artifact.node.excerpt.line_place(first.lineno, first.col_offset - 1)
                message = (
                    f"{node.name} stands below the start of the server: `python {artifact.name}` has no such route"
                )
                yield Match(place, message)


def _runs_application(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) and ".run(" in ast.unparse(node)


def _is_route(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ROUTES


RULE = Rule(
    severity=Severity.WARNING,
    title="A route below the start of the server",
    why="app.run() returns when the server ends. What is declared below it is never reached when the file is run, and "
    "works under gunicorn: the difference shows in production.",
    fix="Keep the block that runs the server at the end of the file.",
    source="https://flask.palletsprojects.com/en/stable/server/",
    check=check,
    example=Example(
        file="app.py",
        bad="""
from flask import Flask

app = Flask(__name__)

if __name__ == "__main__":
    app.run()


@app.route("/version")
def version():
    return "1.1"
""",
        good="""
from flask import Flask

app = Flask(__name__)


@app.route("/version")
def version():
    return "1.1"


if __name__ == "__main__":
    app.run()
""",
    ),
)

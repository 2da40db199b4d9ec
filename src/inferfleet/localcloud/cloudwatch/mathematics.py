"""Metric math, as far as alarms and scaling policies use it: an expression over metrics, minute by minute."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

Series = Mapping[float, float]
"""Values by the time of their minute."""

_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.And: lambda a, b: bool(a and b), ast.Or: lambda a, b: bool(a or b),
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor, "MAX": max, "MIN": min,
    "SUM": lambda *values: sum(values), "AVG": lambda *values: sum(values) / len(values),
    "IF": lambda test, yes, no=0.0: yes if test else no,
}  # fmt: skip


class _Nothing(Exception):
    """There is no value at this minute."""


def evaluate(expression: str, metrics: Mapping[str, Series], minutes: Iterable[float]) -> dict[float, float]:
    """The values of an expression, at those of the minutes at which it has one.

    Numbers, the ids of metrics, `+ - * / ^`, comparisons, AND, OR, and the functions FILL, IF, ABS, CEIL, FLOOR, MAX,
    MIN, SUM and AVG of several metrics, a list in brackets included.

    Args:
        expression: As CloudWatch writes it.
        metrics: The metrics by their ids.
        minutes: The times to evaluate it at.

    Raises:
        ValueError: It cannot be read, or uses something else.
    """
    try:
        tree = ast.parse(_in_python(expression), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"the expression {expression!r} cannot be read") from error
    found = {}
    for minute in minutes:
        try:
            value = float(_value(tree, metrics, minute))
        except (_Nothing, ZeroDivisionError):
            continue
        found[minute] = value
    return found


def _in_python(expression: str) -> str:
    words = {"AND": "and", "OR": "or", "&&": " and ", "||": " or ", "^": "**"}
    for symbol in ("&&", "||", "^"):
        expression = expression.replace(symbol, words[symbol])
    return " ".join(words.get(word, word) for word in expression.split())


def _value(node: ast.AST, metrics: Mapping[str, Series], minute: float) -> Any:
    """The value of a part of an expression at a minute."""

    def of(part: ast.AST) -> Any:
        return _value(part, metrics, minute)

    match node:
        case ast.Constant(value=int() | float() as value):
            found = value
        case ast.Name(id=name) if name in metrics:
            if minute not in metrics[name]:
                raise _Nothing
            found = metrics[name][minute]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            found = _OPERATORS[type(op)](of(left), of(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            found = _OPERATORS[type(op)](of(left), of(right))
        case ast.BoolOp(op=op, values=parts):
            found = reduce(_OPERATORS[type(op)], map(of, parts))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = -of(operand)
        case ast.Call(func=ast.Name(id="FILL"), args=[series, fill]):
            try:
                found = of(series)
            except _Nothing:
                found = of(fill)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            flat = [item for arg in arguments for item in (arg.elts if isinstance(arg, ast.List) else [arg])]
            found = _FUNCTIONS[name](*map(of, flat))
        case _:
            raise ValueError(f"metric math here has no {ast.unparse(node)!r}")
    return found


def names(expression: str) -> set[str]:
    """The ids of metrics that an expression uses.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        tree = ast.parse(_in_python(expression), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"the expression {expression!r} cannot be read") from error
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called

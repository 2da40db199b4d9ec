"""The base of all configuration models, and how their errors are told to people."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from inferfleet.config.source import Document, KeyPath, load
from inferfleet.errors import InputError


class Model(BaseModel):
    """A part of a configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Misfit(ValueError):
    """A mistake in one part of a model that only the whole can see.

    Attributes:
        path: Where the mistake is, from the model that raises this.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


M = TypeVar("M", bound=Model)


def read(path: Path, model: type[M]) -> M:
    """Reads a file as `model`.

    Raises:
        InputError: With one line per mistake: place, what is wrong, and where it can, what was meant.
    """
    return validate(load(path), model)


def validate(document: Document, model: type[M]) -> M:
    """Validates parsed data as `model`; see `read`."""
    if not isinstance(document.data, dict):
        raise InputError(f"{document.source.find(())}: expected `key: value` lines at the top level")
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        lines = dict.fromkeys(_line(document, model, detail) for detail in error.errors(include_url=False))
        raise InputError("\n".join(lines)) from error


def _line(document: Document, model: type[BaseModel], detail: ErrorDetails) -> str:
    cause = detail.get("ctx", {}).get("error")
    inside = cause.path if isinstance(cause, Misfit) else ()
    path, known = _trace(document.data, model, (*detail["loc"], *inside))
    place = document.source.find(path)
    name = _name(document.data, path)
    if detail["type"] == "extra_forbidden":
        return f"{place}: unknown key `{path[-1]}`{_hint(str(path[-1]), known)}"
    if detail["type"] == "missing":
        return f"{place}: `{name}` is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{place}: `{name}`: {message}" if name else f"{place}: {message}"


def _name(data: Any, path: KeyPath) -> str:
    """Joins the keys with dots; an item of a list that has an id goes by it."""
    words = []
    for key in path:
        data = data[key] if not isinstance(data, dict) or key in data else None
        words.append(str(data["id"]) if isinstance(key, int) and isinstance(data, dict) and "id" in data else str(key))
    return ".".join(words)


def _trace(data: Any, model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[KeyPath, list[str]]:
    """Keeps those parts of pydantic's location that are keys of the file (it also names union members)."""
    path: list[int | str] = []
    current = data
    known = list(model.model_fields)
    for part in location:
        if isinstance(current, dict) and (part in current or part == location[-1]):
            path.append(part)
            current = current.get(part)
        elif isinstance(current, list) and isinstance(part, int) and part < len(current):
            path.append(part)
            current = current[part]
    parent: Any = model
    for part in location[:-1]:
        parent = _descend(parent, part)
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        known = [field.alias or key for key, field in parent.model_fields.items()]
    return tuple(path), known


def _descend(annotation: Any, part: int | str) -> Any:
    """Finds the model that a key of a model, list or mapping leads to."""
    models = [item for item in _flatten(annotation) if isinstance(item, type) and issubclass(item, BaseModel)]
    for model in models:
        if model.__name__ == part:
            return model
        for key, field in model.model_fields.items():
            if part in (key, field.alias):
                return field.annotation
    return models[0] if len(models) == 1 else annotation


def _flatten(annotation: Any) -> list[Any]:
    parts = get_args(annotation)
    return [annotation] if not parts else [leaf for part in parts for leaf in _flatten(part)]


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; known here: {', '.join(sorted(known))}"

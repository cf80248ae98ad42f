"""What a schema has against a config, in our own words: the key's path, the value, and what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

_LONG = 60  # characters of a value that a message shows
_WORDS = {
    "string_type": "text in quotes",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "greater_than_equal": "{ge} or more",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a section of keys",
}


def sentences(model: type[BaseModel], problems: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence a problem, and one for all kinds of value that a key may have."""
    by_key: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for problem in problems:
        by_key.setdefault(problem["loc"][:2], []).append(problem)
    said = []
    for key, group in by_key.items():
        several = any(len(p["loc"]) > 2 and isinstance(p["loc"][2], str) for p in group)
        several = several and _of_many_kinds(model, key)
        said += _of_several(key, group) if several else [_sentence(model, p["loc"], p) for p in group]
    return said


def _of_many_kinds(model: type[BaseModel], key: Sequence[Any]) -> bool:
    """Whether a key may be of several kinds: its problems then say of which kind each is."""
    section = _model_at(model, [str(part) for part in key[:-1]])
    field = section.model_fields.get(str(key[-1]))
    kind = field.annotation if field else None
    parts = [part for part in get_args(kind) if part is not NoneType]
    return get_origin(kind) in (UnionType, Union) and len(parts) > 1


def _of_several(key: tuple[Any, ...], group: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where a key may be of several kinds, the schema tells what each lacks: take what came furthest."""
    own = [p for p in group if _is_code(p["type"])]
    further = [p for p in group if len(p["loc"]) > 3]
    if own or further:
        return [_said(".".join(map(str, (*key, *p["loc"][3:]))), p) for p in own or further]
    kinds = " or ".join(_WORDS.get(p["type"], p["msg"]) for p in group)
    return [f"C001 {_name(key)} must be {kinds}; got {shown(group[0]['input'])}."]


def _sentence(model: type[BaseModel], where: Sequence[Any], problem: Mapping[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return unknown(model, [str(part) for part in where])
    if problem["type"] == "missing":
        return f"C001 {_name(where)} is required."
    return _said(".".join(map(str, where)), problem)


def _said(key: str, problem: Mapping[str, Any]) -> str:
    kind = problem["type"]
    if _is_code(kind):
        return f"{kind} {key!r} {problem['msg']}."
    if kind == "literal_error":
        allowed = problem["ctx"]["expected"]
        close = difflib.get_close_matches(str(problem["input"]), re.findall(r"'([^']*)'", allowed), 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"C001 {key!r} must be {allowed}; got {shown(problem['input'])}.{hint}"
    words = _WORDS.get(kind, "").format_map(problem.get("ctx", {}))
    rule = f"must be {words}" if words else problem["msg"][0].lower() + problem["msg"][1:]
    return f"C001 {key!r} {rule}; got {shown(problem['input'])}."


def _is_code(kind: str) -> bool:
    return re.fullmatch(r"[CP]\d{3}", kind) is not None


def _name(where: Sequence[Any]) -> str:
    return repr(".".join(map(str, where)))


def shown(value: Any) -> str:
    """Print a value of a config, cut where it is long."""
    text = repr(value) if isinstance(value, str | int | float | bool) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def unknown(model: type[BaseModel], where: Sequence[str]) -> str:
    """Refuse a key, and say where it belongs or what was meant."""
    known, key = _keys_beside(model, where[:-1]), where[-1]
    homes = [
        name
        for name in _keys_beside(model, [])
        if list(where[:-1]) != [name] and key in _keys_beside(model, [name]) and key != name
    ]
    close = difflib.get_close_matches(key, known, 1)
    hint = f"Known keys here: {', '.join(known)}."
    if homes and len(where) > 1:
        hint = f"It belongs in [{homes[0]}]."
    elif close:
        hint = f"Did you mean {close[0]!r}?"
    return f"C001 unknown key {_name(where)}. {hint}"


def _keys_beside(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    return [name for name in _model_at(model, path).model_fields if name != "base"]


def _model_at(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    for part in path:
        field = model.model_fields.get(part)
        kind = field.annotation if field else None
        options = [kind, *getattr(kind, "__args__", ())]
        model = next((k for k in options if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return model

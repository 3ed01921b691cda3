"""Request parameters checked against Stripe's own table, then against what this double models.

The tables (`wire/tables.py`) are those of 2026-10-28.endive. Three outcomes for a parameter: Stripe
does not know it (400 `parameter_unknown`); Stripe knows it and the double does not model it, or not
this value (501); or it is typed and handed on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stripe_double.engine.errors import (
    invalid_request,
    not_modelled,
    parameter_invalid,
    parameter_missing,
    parameter_unknown,
)
from stripe_double.engine.records import JsonObject
from stripe_double.wire.tables import Schema, table_of
from stripe_double.wire.tables import known_paths as known_paths

ALWAYS_MODELLED = frozenset(
    {"expand[]", "limit", "starting_after", "ending_before", "created"}
    | {f"created.{bound}" for bound in ("gt", "gte", "lt", "lte")}
)
# Since endive; older versions are translated before they come here.
_CHOOSES_TYPES_ITSELF = frozenset(
    f"POST /v1/payment_intents{rest}" for rest in ("", "/{id}", "/{id}/confirm")
)
_INTEGER = re.compile(r"^-?[0-9]{1,18}\Z")
_DECIMAL = re.compile(r"^-?[0-9]{1,18}(\.[0-9]{1,12})?\Z")
_PATTERNS = {"integer": _INTEGER, "number": _DECIMAL, "boolean": re.compile(r"^(true|false)\Z")}
_METADATA = re.compile(r"(^|\.)metadata$")


@dataclass(frozen=True, slots=True)
class Model:
    """What the double models of one operation.

    `paths` names leaves: `line_items[].price`, `metadata.*`. `only` narrows values, by path.
    """

    paths: frozenset[str] = frozenset()
    only: Mapping[str, frozenset[Any]] | None = None


def check(operation: str, raw: JsonObject, model: Model) -> JsonObject:
    """Typed parameters of `METHOD /v1/path/{id}`, or ApiError 400 / 501.

    The values of `/v2/` come typed already, as JSON; those of `/v1/` are strings.
    """
    if "payment_method_types" in raw and operation in _CHOOSES_TYPES_ITSELF:
        raise invalid_request(
            "payment_method_types is no longer supported: Stripe offers the types that fit. Name "
            "those to offer in allowed_payment_method_types.",
            param="payment_method_types",
            code="payment_method_types_no_longer_supported",
        )
    return _Check(model, is_json="/v2/" in operation).object(table_of(operation), raw, "", "")


class _Check:
    def __init__(self, model: Model, *, is_json: bool) -> None:
        self._is_json = is_json
        self._paths = model.paths | ALWAYS_MODELLED
        self._only = model.only or {}

    def object(self, schema: Schema, raw: JsonObject, name: str, path: str) -> JsonObject:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        free = schema.get("additionalProperties")
        typed: JsonObject = {}
        for key, value in raw.items():
            child_name = f"{name}[{key}]" if name else key
            if key in properties:
                child_path = f"{path}.{key}" if path else key
                typed[key] = self.value(properties[key], value, child_name, child_path)
            elif isinstance(free, dict):
                typed[key] = self.value(free, value, child_name, f"{path}.*")
            else:
                raise parameter_unknown(child_name)
        for key in schema.get("required", ()):
            if raw.get(key) in (None, ""):
                raise parameter_missing(f"{name}[{key}]" if name else key)
        if _METADATA.search(path):
            _check_metadata(typed, name)
        return typed

    def value(self, schema: Schema, raw: Any, name: str, path: str) -> Any:
        if _is_open(schema):
            raise not_modelled(f"the parameter {name}", param=name)
        options = schema.get("anyOf")
        if options is not None:
            return self._any_of(options, raw, name, path)
        raw = _as_meant(schema, raw)
        if _is_object(schema):
            if raw == "" and _METADATA.search(path):
                return ""
            if not isinstance(raw, dict):
                raise parameter_invalid(name, f"Invalid object: {name}")
            return self.object(schema, raw, name, path)
        if schema.get("type") == "array":
            if not isinstance(raw, list):
                raise parameter_invalid(name, f"Invalid array: {name}")
            return [
                self.value(schema["items"], item, f"{name}[{index}]", f"{path}[]")
                for index, item in enumerate(raw)
            ]
        return self._leaf(schema, raw, name, path)

    def _any_of(self, options: list[Schema], raw: Any, name: str, path: str) -> Any:
        if raw == "" and any(option.get("enum") == [""] for option in options):
            self._clear(name, path)
            return ""
        fitting = [option for option in options if self._suits(option, raw)]
        if isinstance(raw, dict):
            fitting.sort(key=lambda option: len(raw.keys() - option.get("properties", {}).keys()))
        if fitting:
            return self.value(fitting[0], raw, name, path)
        raise parameter_invalid(name, f"Invalid value for {name}")

    def _clear(self, name: str, path: str) -> None:
        """To clear a place as a whole, it or something in it must be modelled."""
        inside = (f"{path}.", f"{path}[")
        if path not in self._paths and not any(known.startswith(inside) for known in self._paths):
            raise not_modelled(f"the parameter {name}", param=name)

    def _as_text(self, raw: Any) -> Any:
        """A JSON scalar of `/v2/` as a form would have written it."""
        if not self._is_json or isinstance(raw, str):
            return raw
        if isinstance(raw, bool):
            return "true" if raw else "false"
        return str(raw) if isinstance(raw, int | float) else raw

    def _suits(self, schema: Schema, raw: Any) -> bool:
        return _suits(schema, self._as_text(raw))

    def _leaf(self, schema: Schema, raw: Any, name: str, path: str) -> Any:
        typed = _scalar(schema, self._as_text(raw), name)
        if path not in self._paths:
            raise not_modelled(f"the parameter {name}", param=name)
        allowed = self._only.get(path)
        if allowed is not None and typed not in allowed and typed != "":
            raise not_modelled(f"the value {raw!r} of the parameter {name}", param=name)
        return typed


def _is_open(schema: Schema) -> bool:
    """A parameter whose inside the table leaves out, because nothing in it is modelled."""
    return not (schema.keys() - {"type"}) and schema.get("type") in {None, "object"}


def _as_meant(schema: Schema, raw: Any) -> Any:
    """Metadata may have the keys 0, 1, 2; a list may have gaps: a form cannot tell them apart."""
    if isinstance(raw, list) and isinstance(schema.get("additionalProperties"), dict):
        return {str(index): item for index, item in enumerate(raw)}
    is_list = schema.get("type") == "array" and isinstance(raw, dict)
    if is_list and raw and all(name.isdecimal() for name in raw):
        return [raw[name] for name in sorted(raw, key=int)]
    return raw


def _is_object(schema: Schema) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def _suits(schema: Schema, raw: Any) -> bool:
    if isinstance(raw, dict):
        return _is_object(schema)
    if isinstance(raw, list):
        return schema.get("type") == "array" or "additionalProperties" in schema
    if _is_object(schema) or schema.get("type") == "array":
        return False
    pattern = _PATTERNS.get(schema.get("type", ""))
    if pattern is not None:
        return pattern.match(raw) is not None
    return "enum" not in schema or raw in schema["enum"]


def _scalar(schema: Schema, raw: Any, name: str) -> Any:
    if not isinstance(raw, str):
        raise parameter_invalid(name, f"Invalid value: {name} must be a single value")
    kind = schema.get("type")
    if kind == "integer":
        if not _INTEGER.match(raw):
            raise parameter_invalid(name, f"Invalid integer: {raw}", "parameter_invalid_integer")
        return int(raw)
    if kind == "number" or schema.get("format") == "decimal":
        number = _number(raw, name)
        return number if kind == "number" else raw
    if kind == "boolean":
        if raw not in {"true", "false"}:
            raise parameter_invalid(name, f"Invalid boolean: {raw}")
        return raw == "true"
    return _string(schema, raw, name)


def _number(raw: str, name: str) -> float:
    """A finite decimal number; `1e3`, `NaN` and blanks are not one."""
    if not _DECIMAL.match(raw) or not math.isfinite(float(raw)):
        raise parameter_invalid(name, f"Invalid decimal: {raw}")
    return float(raw)


def _string(schema: Schema, raw: str, name: str) -> str:
    if raw and "enum" in schema and raw not in schema["enum"]:
        choices = ", ".join(choice for choice in schema["enum"] if choice)
        raise parameter_invalid(name, f"Invalid {name}: must be one of {choices}")
    limit = schema.get("maxLength", 5000)
    if len(raw) > limit:
        raise parameter_invalid(
            name, f"Invalid string: {raw[:20]}...; must be at most {limit} characters"
        )
    return raw


def _check_metadata(typed: JsonObject, name: str) -> None:
    if len(typed) > 50:
        raise invalid_request(f"{name} can have at most 50 keys.", param=name)
    for key, value in typed.items():
        if len(key) > 40:
            raise invalid_request(f"Metadata keys must be at most 40 characters: {key}", param=name)
        if len(value) > 500:
            raise invalid_request(
                f"Metadata values must be at most 500 characters: {key}", param=f"{name}[{key}]"
            )

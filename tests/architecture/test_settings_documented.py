"""Settings: no secret has a default, and every variable is in .env.example."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from tests.architecture.source_tree import ROOT, SERVICES

from billing_common import settings as shared
from billing_common.settings import ServiceSettings
from holdfast_cli import settings as stack

SECRET_WORDS = re.compile(r"secret|password|token|key(?!s_file)", re.I)


def _classes() -> Iterator[type[ServiceSettings]]:
    modules = [shared, *(importlib.import_module(f"{name}.settings") for name in SERVICES)]
    for module in modules:
        for _, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, ServiceSettings):
                yield value


def _fields() -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for settings_class in _classes():
        for field in settings_class.model_fields.values():
            assert isinstance(field.validation_alias, str), "a setting names its variable"
            found[field.validation_alias] = field
    return found


FIELDS = _fields()


def is_bare_secret_default(field: FieldInfo) -> bool:
    """A secret that somebody else could know: it has a value though nobody set one."""
    return "SecretStr" in str(field.annotation) and not (
        field.is_required() or field.get_default(call_default_factory=True) is None
    )


@pytest.mark.requirement("OPS-08")
@pytest.mark.parametrize("variable", sorted(FIELDS))
def test_no_secret_has_a_default(variable: str) -> None:
    field = FIELDS[variable]
    assert not is_bare_secret_default(field)
    if SECRET_WORDS.search(variable):
        assert field.is_required() or field.get_default() is None


def test_a_secret_with_a_default_would_be_caught() -> None:
    assert is_bare_secret_default(FieldInfo(annotation=SecretStr, default=SecretStr("x")))


@pytest.mark.requirement("OPS-08")
def test_every_variable_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    words = set(re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", example))
    named = set(FIELDS) | {name for name, _ in stack.PORTS.values()}
    assert sorted(named - words) == []


def test_every_service_settings_module_was_read() -> None:
    for service in SERVICES:
        package = importlib.import_module(service)
        assert "settings" in {module.name for module in pkgutil.iter_modules(package.__path__)}
        assert any(c.__module__ == f"{service}.settings" for c in _classes())

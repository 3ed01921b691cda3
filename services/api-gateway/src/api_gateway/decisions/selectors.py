"""Which billing account does the caller mean? Read from the request, never guessed.

Header before query parameter; an entity before a workspace. A selector that cannot be read is
refused, because ignoring it would bill somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ENTITY_HEADER: Final = "x-billable-entity-id"
ENTITY_PARAMETER: Final = "billableEntityId"
WORKSPACE_HEADER: Final = "x-workspace-slug"
WORKSPACE_PARAMETER: Final = "workspaceSlug"

_ENTITY_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class EntitySelector:
    """The caller named a billable entity."""

    billable_entity_id: int


@dataclass(frozen=True, slots=True)
class WorkspaceSelector:
    """The caller named a workspace."""

    slug: str


@dataclass(frozen=True, slots=True)
class NoSelector:
    """The caller named nothing: only a single accessible account will do."""


@dataclass(frozen=True, slots=True)
class MalformedSelector:
    """Fields by the name the caller used, and what is wrong with each."""

    field_errors: dict[str, str]


Selector = EntitySelector | WorkspaceSelector | NoSelector


def decide_selector(
    *,
    entity_headers: Sequence[str],
    entity_parameters: Sequence[str],
    workspace_headers: Sequence[str],
    workspace_parameters: Sequence[str],
) -> Selector | MalformedSelector:
    """All values sent under each name. Every one is checked, also those that lose."""
    errors: dict[str, str] = {}
    entity_ids = [
        _single(values, name, _ENTITY_ID, "must be one positive whole number", errors)
        for name, values in (
            (ENTITY_HEADER, entity_headers),
            (ENTITY_PARAMETER, entity_parameters),
        )
    ]
    slugs = [
        _single(values, name, _SLUG, "must be one workspace slug", errors)
        for name, values in (
            (WORKSPACE_HEADER, workspace_headers),
            (WORKSPACE_PARAMETER, workspace_parameters),
        )
    ]
    if errors:
        return MalformedSelector(errors)
    for entity_id in entity_ids:
        if entity_id is not None:
            return EntitySelector(int(entity_id))
    for slug in slugs:
        if slug is not None:
            return WorkspaceSelector(slug)
    return NoSelector()


def _single(
    values: Sequence[str], name: str, pattern: re.Pattern[str], rule: str, errors: dict[str, str]
) -> str | None:
    if not values:
        return None
    if len(values) > 1 or not pattern.fullmatch(values[0]):
        errors[name] = rule
        return None
    return values[0]

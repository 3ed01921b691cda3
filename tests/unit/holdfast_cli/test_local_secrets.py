"""Secrets are made once, and only their owner can read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast_cli.failures import StackFailure
from holdfast_cli.local_secrets import load_or_create_secrets, load_secrets


def test_the_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    before = os.umask(0)
    try:
        load_or_create_secrets(path)
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_uses_the_same_secrets(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"

    assert load_or_create_secrets(path) == load_or_create_secrets(path)


def test_two_stacks_share_nothing(tmp_path: Path) -> None:
    one = load_or_create_secrets(tmp_path / "one.json")
    other = load_or_create_secrets(tmp_path / "other.json")

    assert one.operation_key_secret != other.operation_key_secret
    assert one.database_passwords["hf_gateway"] != other.database_passwords["hf_gateway"]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_create_secrets(path)
    path.chmod(0o644)

    with pytest.raises(StackFailure, match="read by others"):
        load_secrets(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"jwt_shared_secret": "x"}', "\x00"])
def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(StackFailure) as caught:
        load_secrets(path)

    assert "holdfast down --wipe" in caught.value.way_out[0]


def test_secrets_do_not_show_up_in_a_printed_object(tmp_path: Path) -> None:
    made = load_or_create_secrets(tmp_path / "secrets.json")

    assert made.operation_key_secret not in repr(made)

from __future__ import annotations

import os

import pytest

from holdfast_cli.servers import ServerStartFailed
from holdfast_cli.servers.install.apt import install_packages

_APT = """#!/bin/sh
echo "$@" >> CALLS
case "$*" in *update*) touch LISTS; exit 0 ;; esac
[ -e LISTS ] && exit RESULT
echo "E: Unable to locate package" >&2; exit 100
"""


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """An apt-get that knows packages only after an update; returns the calls made."""

    def install(result: int = 0) -> list[str]:
        calls = tmp_path / "calls"
        text = _APT.replace("CALLS", str(calls)).replace("LISTS", str(tmp_path / "lists"))
        program = tmp_path / "apt-get"
        program.write_text(text.replace("RESULT", str(result)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        return calls

    return install


def test_a_bare_machine_gets_its_package_lists_first(apt):
    calls = apt()
    said: list[str] = []
    install_packages("MariaDB", ["mariadb-server-core"], said.append)
    words = [line.split()[2] for line in calls.read_text().splitlines()]
    assert words == ["install", "update", "install"]
    assert any("mariadb-server-core" in line for line in said)


def test_a_refusal_of_apt_is_told_with_the_command_to_run(apt):
    apt(result=100)
    with pytest.raises(ServerStartFailed) as refusal:
        install_packages("MariaDB", ["mariadb-server-core"], lambda line: None)
    assert "apt-get install -y --no-install-recommends mariadb-server-core" in (
        refusal.value.way_out
    )


def test_an_ordinary_user_without_sudo_is_sent_to_root(apt, tmp_path, monkeypatch):
    calls = apt()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerStartFailed, match="needs root"):
        install_packages("MariaDB", ["mariadb-server-core"], lambda line: None)
    assert not calls.exists()

from __future__ import annotations

import pytest

from holdfast_cli.servers import ServerStartFailed
from holdfast_cli.servers.install.debian_mirror import debian_mirror

_DEB822 = """\
Types: deb
# a comment between fields
URIs: https://vendor.example/apt
Suites: bookworm
Components: contrib

Types: deb-src
URIs: https://sources.example/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: https://switched-off.example/debian
Suites: bookworm
Components: main

Types: deb deb-src
URIs: https://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main non-free
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

_ONE_LINE = """\
# deb https://commented.example/debian bookworm main
deb https://security.example/debian-security bookworm-security main
deb-src https://sources.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/debian.gpg] https://mirror.example/debian bookworm main
"""


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    return tmp_path


def test_the_mirror_is_read_from_deb822_sources(etc):
    (etc / "apt/sources.list.d/debian.sources").write_text(_DEB822)
    assert debian_mirror("MySQL", etc) == "https://mirror.example/debian"


@pytest.mark.parametrize("name", ["sources.list", "sources.list.d/debian.list"])
def test_the_mirror_is_read_from_one_line_sources(etc, name):
    (etc / "apt" / name).write_text(_ONE_LINE)
    assert debian_mirror("MySQL", etc) == "https://mirror.example/debian"


def test_a_machine_without_a_debian_source_is_told_where_to_look(etc):
    with pytest.raises(ServerStartFailed, match="'bookworm'") as refusal:
        debian_mirror("MySQL", etc)
    assert str(etc / "apt") in refusal.value.way_out


def test_another_distribution_is_sent_to_docker(etc):
    (etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    with pytest.raises(ServerStartFailed, match="not Debian") as refusal:
        debian_mirror("MySQL", etc)
    assert "Docker" in refusal.value.way_out

from __future__ import annotations

from holdfast_cli.servers.errors import ServerStartFailed
from holdfast_cli.servers.install.apt import install_packages
from holdfast_cli.servers.install.cache import Say
from holdfast_cli.servers.mariadb import (
    find_install_program,
    find_mariadbd,
    mariadb_version,
)

# The "core" packages are the bare programs: no system service is installed, started or enabled,
# and a database that the machine already runs is left alone.
PACKAGES = ("mariadb-server-core", "mariadb-client-core")


def install_mariadb(say: Say) -> None:
    """Make mariadbd available. Does nothing when it is there; needs root or sudo otherwise."""
    if find_mariadbd() is None or find_install_program() is None:
        install_packages("MariaDB", PACKAGES, say)
    binary = find_mariadbd()
    if binary is None or find_install_program() is None:
        raise ServerStartFailed(
            "MariaDB",
            f"mariadbd is still missing after {' and '.join(PACKAGES)} were installed",
            f"look at: dpkg -L {PACKAGES[0]}",
        )
    say(f"MariaDB {mariadb_version(binary)}: {binary}")

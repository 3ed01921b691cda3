from __future__ import annotations

import os
import socket

import pytest

from holdfast_cli.servers import ServerStartFailed, free_port, is_port_free, require_free_port


def test_a_free_port_is_free():
    port = free_port()
    assert is_port_free(port)
    require_free_port("MariaDB", port)


def test_a_taken_port_names_the_process_and_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartFailed) as refusal:
            require_free_port("MariaDB", port)
    assert refusal.value.name == "MariaDB"
    assert f"port {port}" in refusal.value.reason
    assert f"(pid {os.getpid()})" in refusal.value.reason
    assert refusal.value.code == "server_start_failed"

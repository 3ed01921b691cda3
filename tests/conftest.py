"""The whole suite's fixtures live in tests/fixtures, one idea a module; this only names them."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.run_report",
    "tests.fixtures.required_kinds",
    "tests.fixtures.shared_servers",
    "tests.fixtures.lock_orders",
    "tests.fixtures.databases",
    "tests.fixtures.brokers",
    "tests.fixtures.stripe_doubles",
    "tests.fixtures.fault_proxy",
    "tests.fixtures.whole_stack",
]

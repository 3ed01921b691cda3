"""The command line and environment of each of our own processes."""

from __future__ import annotations

import os
import sys

from holdfast_cli.background_process import Launch
from holdfast_cli.environment import (
    double_environment,
    inherited_environment,
    service_environment,
)
from holdfast_cli.local_secrets import LocalSecrets
from holdfast_cli.stack import Stack
from holdfast_cli.topology import SERVICES, STRIPE_DOUBLE

_MODULES = {spec.name: spec.module for spec in (*SERVICES, STRIPE_DOUBLE)}


def launch_of(name: str, stack: Stack, secrets: LocalSecrets) -> Launch:
    """How the process of this name is started."""
    if name == STRIPE_DOUBLE.name:
        values = double_environment(stack.settings, secrets, stack.paths.data / "stripe-double")
    else:
        values = service_environment(name, stack.settings, secrets)
    return Launch(
        command=(sys.executable, "-m", _MODULES[name]),
        environment={**inherited_environment(os.environ), **values},
        folder=stack.paths.home,
    )

"""docker-compose.yml starts what the local stack starts, and nothing in it is left to chance."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from holdfast_cli.topology import SERVICES, STRIPE_DOUBLE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)["services"]
SERVERS = {"database", "kafka"}
JOBS = {"accounts", "migrations", "grants", "topics"}
OURS = {spec.name: spec.module for spec in (*SERVICES, STRIPE_DOUBLE)}
SECRET = re.compile(r"PASSWORD|SECRET|API_KEYS|SHA256S|_URL$|MYSQL_PWD")


def test_it_has_the_services_the_servers_the_jobs_and_the_double():
    assert set(COMPOSE) == set(OURS) | SERVERS | JOBS


def test_only_the_double_waits_for_a_profile():
    assert {name for name, part in COMPOSE.items() if "profiles" in part} == {"stripe-double"}
    assert COMPOSE["stripe-double"]["profiles"] == ["double"]


@pytest.mark.parametrize("name", sorted(set(OURS) | SERVERS))
def test_whatever_keeps_running_says_whether_it_is_healthy(name):
    health = COMPOSE[name]["healthcheck"]
    assert health["test"]
    assert health["retries"] > 0
    assert health["start_period"]
    assert COMPOSE[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_runs_once(name):
    assert COMPOSE[name]["restart"] == "no"
    assert COMPOSE[name]["healthcheck"] == {"disable": True}


def test_services_wait_until_the_jobs_they_need_have_ended_well():
    done = {"condition": "service_completed_successfully"}
    for spec in SERVICES:
        needs = {"topics": done, "grants": done}
        if spec.name == "webhook-ingest":  # it has no database
            del needs["grants"]
        assert COMPOSE[spec.name]["depends_on"] == needs
    order = ["database", "accounts", "migrations", "grants"]
    for before, after in itertools.pairwise(order):
        assert list(COMPOSE[after]["depends_on"]) == [before]


def test_every_image_is_pinned_and_can_be_replaced():
    for name, part in COMPOSE.items():
        image = part["image"]
        assert "latest" not in image
        if name in OURS or name in {"migrations", "topics"}:
            assert image.startswith("holdfast/")
            assert part["build"]["dockerfile"] == "deploy/docker/service.Dockerfile"
        else:
            assert re.fullmatch(r"\$\{HOLDFAST_(MYSQL|KAFKA)_IMAGE:-[\w/]+:[\d.]+\}", image)
    base = COMPOSE["checkout"]["build"]["args"]["BASE_IMAGE"]
    assert re.fullmatch(r"\$\{HOLDFAST_PYTHON_IMAGE:-python:3\.\d+-slim-\w+\}", base)


def test_no_secret_has_a_default():
    for name, part in COMPOSE.items():
        for variable, value in part.get("environment", {}).items():
            if SECRET.search(variable) and value is not None:
                for default in re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)(.*?)\}", value):
                    assert default[1].startswith(":?"), f"{name}: {default[0]} has a default"
                if "URL" not in variable:
                    assert value.startswith("${"), f"{name}: {variable} is written down"


def test_ports_are_published_on_the_loopback_address_only():
    for name, part in COMPOSE.items():
        for port in part.get("ports", []):
            assert re.match(r"127\.0\.0\.1:\$\{HOLDFAST_\w+_PORT:-\d+\}:\d+$", port), name


@pytest.mark.parametrize("name", sorted(set(OURS) | {"migrations", "topics"}))
def test_our_containers_may_do_nothing_that_they_do_not_need(name):
    part = COMPOSE[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in part


def test_only_checkout_and_projection_know_the_stripe_key():
    knowing = {
        name for name, part in COMPOSE.items() if "BILLING_STRIPE_SECRET_KEY" in part["environment"]
    }
    assert knowing == {"checkout", "projection"}


@pytest.mark.parametrize(("name", "module"), sorted(OURS.items()))
def test_a_service_accepts_the_settings_that_it_is_given(name, module):
    environment = {
        variable: _resolve(variable, str(value))
        for variable, value in COMPOSE[name]["environment"].items()
        if value is not None
    }
    if "BILLING_STRIPE_SECRET_KEY" in environment:
        environment["BILLING_STRIPE_BASE_URL"] = "http://stripe-double:12111"

    checked = subprocess.run(
        [sys.executable, "-m", module, "--check"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def _resolve(variable: str, text: str) -> str:
    """The value with defaults taken and what must be given made up."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if operator == ":-":
            return rest
        if "WEBHOOK_SECRETS" in name:
            return "whsec_" + "0" * 64
        return ("sk_test_" if name == "BILLING_STRIPE_SECRET_KEY" else "") + "0" * 64

    return re.sub(r"\$\{(\w+)(:-|:\?)(.*?)\}", value, text)

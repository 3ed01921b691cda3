"""Every rule holds for the code, and every rule catches what it is for."""

from __future__ import annotations

import pytest
from tests.architecture import code_rules
from tests.architecture.code_rules import RULES, Rule
from tests.architecture.source_tree import production_modules, snippet


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert [problem for module in production_modules() for problem in rule(module)] == []


@pytest.mark.requirement("SCOPE-07")
def test_nothing_outside_stripe_api_imports_stripe() -> None:
    importers = {
        module.name
        for module in production_modules()
        if list(code_rules.one_door_to_stripe(module))
    }
    assert importers == set()


@pytest.mark.requirement("CHK-01")
def test_only_guarded_doors_lead_to_the_network() -> None:
    strangers = [
        problem
        for module in production_modules()
        for problem in code_rules.the_network_has_few_doors(module)
    ]
    assert strangers == []


BAD = [
    (code_rules.commits_in_one_place, "async def f(c):\n    await c.commit()"),
    (code_rules.subscriptions_are_explicit, "broker.subscriber('t', group_id='g')"),
    (code_rules.subscriptions_are_explicit, "broker.subscriber('t', ack_policy=1)"),
    (code_rules.subscriptions_are_explicit, "AIOKafkaConsumer('t')"),
    (code_rules.subscribers_in_one_place, "broker.subscriber('t', group_id='g', ack_policy=1)"),
    (code_rules.sql_has_an_address, "from sqlalchemy import select"),
    (code_rules.sql_has_an_address, "import sqlalchemy as sa"),
    (code_rules.sql_has_an_address, "from sqlalchemy.dialects.mysql import insert"),
    (code_rules.sql_has_an_address, "async def f(c):\n    await c.execute('SELECT 1')"),
    (code_rules.one_door_to_stripe, "import stripe"),
    (code_rules.one_door_to_stripe, "from stripe.error import CardError"),
    (code_rules.the_network_has_few_doors, "import httpx"),
    (code_rules.the_network_has_few_doors, "from aiokafka.errors import KafkaError"),
    (code_rules.the_network_has_few_doors, "import urllib.request"),
    (code_rules.inserts_are_honest, "q = insert(t).on_duplicate_key_update(a=1)"),
    (code_rules.inserts_are_honest, "q = 'INSERT  IGNORE INTO t VALUES (1)'"),
    (code_rules.inserts_are_honest, "q = insert(t).prefix_with('IGNORE')"),
    (code_rules.errors_are_judged_in_few_places, "try:\n    f()\nexcept Exception:\n    pass"),
    (code_rules.errors_are_judged_in_few_places, "try:\n    f()\nexcept:\n    g()"),
]


@pytest.mark.parametrize(("rule", "code"), BAD)
def test_a_rule_catches_what_it_forbids(rule: Rule, code: str) -> None:
    assert list(rule(snippet(code)))


BAD_IN_THE_CORE = [
    (code_rules.the_core_has_no_clock, "from datetime import datetime\nx = datetime.now()"),
    (code_rules.the_core_has_no_clock, "import time"),
    (code_rules.the_core_has_no_clock, "from uuid import uuid4"),
    (code_rules.the_core_has_no_clock, "import random"),
    (code_rules.the_core_has_no_clock, "x = date.today()"),
    (code_rules.the_core_does_not_wait, "async def decide(): ..."),
]


@pytest.mark.parametrize("name", ["billing_common.domain.x", "checkout.decisions", "a.decisions.b"])
@pytest.mark.parametrize(("rule", "code"), BAD_IN_THE_CORE)
def test_a_rule_of_the_core_catches_what_it_forbids(rule: Rule, code: str, name: str) -> None:
    assert list(rule(snippet(code, name=name)))
    assert list(rule(snippet(code, name="checkout.handlers.x"))) == []


@pytest.mark.parametrize(
    "name", ["checkout.utils", "projection.helpers.x", "reconciler.job_manager"]
)
def test_a_drawer_is_caught(name: str) -> None:
    assert list(code_rules.no_drawers(snippet("", name=name)))


ALLOWED = [
    (code_rules.sql_has_an_address, "from sqlalchemy import select", "checkout.repository.x"),
    (code_rules.sql_has_an_address, "from sqlalchemy.exc import DBAPIError", "checkout.handlers"),
    (code_rules.one_door_to_stripe, "import stripe", "billing_common.stripe_api.client"),
    (code_rules.one_door_to_stripe, "import stripe_double", "holdfast_cli.x"),
    (code_rules.inserts_are_honest, '"""No INSERT IGNORE."""', "checkout.x"),
    (
        code_rules.errors_are_judged_in_few_places,
        "try:\n    f()\nexcept Exception:\n    raise",
        "checkout.x",
    ),
]


@pytest.mark.parametrize(("rule", "code", "name"), ALLOWED)
def test_a_rule_lets_pass_what_it_allows(rule: Rule, code: str, name: str) -> None:
    assert list(rule(snippet(code, name=name))) == []

from __future__ import annotations

import pytest

from billing_common.domain.secret_rings import SecretRing, parse_secret_ring

pytestmark = pytest.mark.requirement("IDEM-06")

OLD, NEW = "o" * 32, "n" * 40


def ids(ring: SecretRing) -> list[str]:
    return [secret.id for secret in ring.secrets]


def test_one_secret_needs_no_name() -> None:
    ring = parse_secret_ring(OLD)
    assert ring.current == OLD.encode()
    assert ring.all == (OLD.encode(),)


def test_the_first_makes_new_keys_and_all_are_known() -> None:
    ring = parse_secret_ring(f"2026b:{NEW}, 2026a:{OLD}")
    assert ids(ring) == ["2026b", "2026a"]
    assert ring.current == NEW.encode()
    assert ring.all == (NEW.encode(), OLD.encode())


def test_a_secret_may_hold_what_separates_an_id_but_not_what_separates_entries() -> None:
    assert parse_secret_ring("A+/=:" + OLD).current == ("A+/=:" + OLD).encode()
    assert parse_secret_ring(f"a:{OLD}:x").current == f"{OLD}:x".encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "a:short",
        f"{NEW},{OLD}",
        f"a:{NEW},{OLD}",
        f"a:{NEW},a:{OLD}",
        f"a:{NEW},b:{NEW}",
        f"a:{NEW},",
        f"A:{NEW},b:{OLD}",
        ",".join(f"k{number}:{number}{OLD}" for number in range(6)),
    ],
)
def test_what_is_no_ring_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|twice|several") as refused:
        parse_secret_ring(text)
    assert OLD not in str(refused.value)
    assert NEW not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    assert OLD not in repr(parse_secret_ring(f"a:{OLD}"))

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.decisions.return_paths import path_error

pytestmark = pytest.mark.requirement("CHK-11")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/billing/success",
        "/billing/success/",
        "/a.b/c..d/...e",
        "/done?session_id={CHECKOUT_SESSION_ID}",
        "/done?next=https%3A%2F%2Fapp.example%2Fx&x=1#part",
        "/done?a=b//c",
        "/caf%C3%A9/%20x",
        "/a%2Fb",
        "/@me/~x/(y)/;v=1,2",
        "/" + "a" * 2047,
    ],
)
def test_paths_of_our_own_product(path: str) -> None:
    assert path_error(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "billing",
        "./billing",
        "?x=1",
        "https://evil.example",
        "HTTPS://evil.example/",
        "https:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/a\\..\\b",
        "/%2fevil.example",
        "/%2Fevil.example",
        "/%2f%2fevil.example",
        "/%5cevil.example",
        "/%5C%5Cevil.example",
        "/%252fevil.example",
        "/%25252f%25252fevil.example",
        "/%25%32%66evil.example",
        "/x/%2e%2e/%2fevil",
        "/..",
        "/../x",
        "/x/..",
        "/x/../y",
        "/x/./y",
        "/%2e%2e/x",
        "/%2E%2e%2Fx",
        "/x/%252e%252e/y",
        "/x//y",
        "/x/%2f",
        "/http://evil.example",
        "/ /evil.example",
        " /x",
        "/x ",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/\x00",
        "/x\x7f",
        "/%00",
        "/%09/evil.example",
        "/%0d%0aSet-Cookie:%20a=b",
        "/x?a=%0d%0aSet-Cookie:%20a=b",
        "/x?a=\\evil",
        "/x#%00",
        "/\u2028x",
        "/\uff0f\uff0fevil.example",  # full-width solidus
        "/%ef%bc%8fevil.example",
        "/%ef%bc%8e%ef%bc%8e/x",  # full-width full stops
        "/%e2%80%ae",  # right-to-left override
        "/%e2%80%8b",  # zero width space
        "/%c2%a0x",  # no-break space becomes a space in look-alike folding
        "/%e3%80%80x",  # ideographic space
        "/%ef%bc%bcevil.example",  # full-width backslash
        "/caf\u00e9",
        "/%c0%af",  # overlong slash
        "/%ff",
        "/%",
        "/%2",
        "/%zz",
        "/%25",
        "/" + "%25" * 20 + "2f",
        "/" + "a" * 2048,
    ],
)
def test_paths_that_may_lead_elsewhere(path: str) -> None:
    assert path_error(path) is not None


@given(st.text(max_size=60))
def test_what_is_accepted_starts_with_exactly_one_slash_and_is_printable(text: str) -> None:
    for path in (text, "/" + text):
        if path_error(path) is None:
            assert path.startswith("/")
            assert not path.startswith(("//", "/\\"))
            assert path.isascii()
            assert path.isprintable()

"""CHK-11: what people really try, against every parameter that becomes a redirect."""

from __future__ import annotations

from itertools import product
from urllib.parse import unquote

import pytest

from api_gateway.decisions.return_paths import path_error

pytestmark = pytest.mark.requirement("CHK-11")

EVIL = "evil.example"
# Each is put before EVIL; a browser, a proxy or a framework somewhere reads a host out of it.
PREFIXES = (
    "//", "///", "////", "//////", "/\\", "/\\/", "\\/\\/", "\\\\", "/\\\\", "//\\", "\\//",
    "/%5c", "/%5C/", "/%5c%5c", "/%2f", "/%2F/", "/%2f%2f", "/%252f", "/%252f%252f", "/%255c",
    "/%25252f", "/%c0%af", "/%e0%80%af", "/%ef%bc%8f", "/\uff0f", "/%e2%81%84%2f", "/%09/", "/%0a/",
    "/%0d/", "/%0d%0a/", "/%00/", "/%20/../", "/\t/", "/\n/", "/\r/", "/\x00/", "/\x0b/", "/\x85/",
    "/ /", " //", "\t//", "%2f%2f", "%5c%5c", "http://", "https://", "https:", "https:/",
    "https:///", "HtTpS://", "http:\\\\", "//@", "//user@", "//user:pw@", "///@", "ftp://",
    "javascript://", "data://", "file://", "ws://", "view-source:http://", "blob:https://",
    "/.//", "/..//", "/x/..//", "/./\\", "/%2e%2f/", "/%2e%2e%2f%2f", "/;//", "/x;//", "/:80//",
    ".", "..", "./", "../", "../../", "@", "?//", "#//", "&//", "//%09", "//%E2%80%AE",
    "/\u2215", "/\u2044/", "/\u29f8/", "/\ufe68", "/\uff3c", "/%EF%BC%BC", "/\u3002//", "/\u200b/",
    "/%E2%80%8B//", "/\ufeff/", "/%EF%BB%BF//", "/%u002f", "/%uff0f", "/\u00ad//",
)  # fmt: skip
WHOLE = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=", "vbscript:msgbox(1)", "/\njavascript:alert(1)",
    "mailto:x@evil.example", "/x\r\nLocation: //evil.example", "/x%0d%0aLocation:%20//evil.example",
    "/x?%0d%0aSet-Cookie:a=b", "/x#%0a", "/x?a=\\\\evil.example", "/..", "/../", "/a/..", "/a/../b",
    "/%2e%2e", "/%2e%2e/", "/a/%2e%2e/b", "/%252e%252e/", "/a/.%2e/b", "/a/%2e./b", "/./", "/a/./b",
    "/%c0%ae%c0%ae/", "/\uff0e\uff0e/", "/%ef%bc%8e%ef%bc%8e/", "/a//b", "/a/%2f/b", "/%", "/%zz",
    "/%1", "/%ff%fe", "/%ed%a0%80", "/\ud800", "/\u202eelpmaxe", "/a\u2028b", "/a\u00a0b",
    "/\u0130", "/" + "a" * 2048, "/" + "%2561" * 600, "",
)  # fmt: skip
HOSTILE = [prefix + EVIL for prefix in PREFIXES] + list(WHOLE)


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 120


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: ascii(path)[:60])
def test_no_path_leads_elsewhere(path: str) -> None:
    assert path_error(path) is not None


SEPARATORS = ("/", "\\", "%2f", "%5c", "%252f", "%09", "%0a", "\t", "\n", ".", "%2e", "", " ")


def test_nor_does_any_combination_of_three() -> None:
    accepted = [
        path
        for parts in product(SEPARATORS, repeat=3)
        if path_error(path := "/" + "".join(parts) + EVIL) is None
    ]
    # What is left begins with one slash, and names something in our own first folder.
    assert 1 <= len(accepted) < 30
    for path in accepted:
        decoded = unquote(path)
        assert decoded.lstrip("/.") == EVIL, path
        assert decoded.count("/") == 1, path
        assert decoded.partition(EVIL)[0] in ("/", "/.", "/..", "/..."), path

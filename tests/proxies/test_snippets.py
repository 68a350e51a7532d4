"""What can be said about the snippets of docs/proxies without running them."""

from pathlib import Path

import pytest

from proxy.identity.platform_cookies import COOKIES

SNIPPETS = Path(__file__).parents[2] / "docs" / "proxies"
MANUAL = (Path(__file__).parents[2] / "docs" / "landing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["nginx-landing.conf", "landing.Caddyfile"])
def test_a_snippet_has_room_for_every_cookie_that_can_be_set(name):
    most = 3 + sum(1 for row in COOKIES if row.lasts_s)  # _fh, _fbp, _fbc
    text = (SNIPPETS / name).read_text(encoding="utf-8").lower().replace("-", "_")
    assert all(f"firsthand_cookie_{number}" in text for number in range(1, most + 1))


@pytest.mark.parametrize("path", sorted(SNIPPETS.iterdir()), ids=lambda path: path.name)
def test_the_manual_points_to_every_snippet(path):
    assert f"(proxies/{path.name})" in MANUAL

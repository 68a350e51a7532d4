import pytest

from proxy.config.settings import PathSettings
from proxy.doctor.names import finding, hit


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://t.shop.example/gtag.js", "script"),
        ("https://t.shop.example/lib/matomo.js", "script"),
        ("https://analytics.shop.example/tracker.js", "script"),
        ("https://stats.shop.example/tracker.js", "script"),
        ("https://sgtm.shop.example/x.js?id=1", "script"),
        ("https://t.shop.example/api/events", "events"),
        ("https://tracking.shop.example/events", "events"),
        ("https://collector.shop.example/event", "events"),
        ("https://analytics.shop.example/collect", "events"),
        ("https://www.shop.com/hit", "events"),
        ("https://t.shop.example/pixel.gif?name=x", "image"),
        ("https://t.shop.com/b.gif?name=x", "image"),
        ("https://t.shop.example/static/0123456789abcdef0123456789abc", "script"),
    ],
)
def test_names_that_lists_hit(url, kind):
    assert hit(url, kind)


@pytest.mark.parametrize("host", ["t", "data", "events", "www"])
def test_our_defaults_on_neutral_hosts_are_clean(host):
    paths, at = PathSettings(), f"https://{host}.shop.example"
    urls = {"script": at + paths.script, "events": at + paths.events, "image": f"{at}{paths.pixel}?name=page_view"}
    assert finding(urls).level == "ok"
    assert finding({kind: url.replace("/", "/fh/", 3) for kind, url in urls.items()}).level == "ok"


def test_a_hit_names_the_path_the_host_and_the_way_out():
    said = finding({"script": "https://analytics.shop.example/tracker.js"})
    assert said.level == "warning"
    assert "/tracker.js on analytics.shop.example" in said.text
    assert "`paths`" in said.advice

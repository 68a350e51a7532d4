"""`consent:` in the configuration: regions are checked where they stand, and must have a source."""


def test_regions_are_checked_where_they_stand(faults):
    text = """\
site: {origins: [https://www.shop.example]}
consent:
  region_header: CF-IPCountry
  regions:
    EEA: {default: maybe}
    EUROPE: {default: denied}
    US: {gcp: ignore}
"""
    found = faults(text)
    assert [line.split(": ")[0] for line in found] == ["config.yaml:5:20", "config.yaml:6:13", "config.yaml:7:10"]
    assert "expected 'granted' or 'denied' or a mapping, got 'maybe'" in found[0]
    assert "no region: 'EUROPE'; write EEA, UK, CH" in found[1]
    assert "did you mean 'gpc'?" in found[2]


def test_regions_that_nothing_can_tell_apart_are_refused(faults, site):
    (fault,) = faults(f"{site}consent: {{regions: auto}}\n")
    assert fault.startswith("config.yaml:2:20: consent.regions: nothing says where a visitor is")
    assert "CF-IPCountry" in fault


def test_three_headers_are_one_too_many(faults, site):
    (fault,) = faults(f"{site}consent: {{region_header: [A, B, C]}}\n")
    assert "more than two headers" in fault


def test_a_region_header_without_a_trusted_proxy_is_warned_about(read, site):
    found = read(f"{site}consent: {{regions: auto, region_header: CF-IPCountry}}\n").warnings
    assert any(warning.startswith("consent.region_header: has no effect") for warning in found)


def test_the_banners_record_is_not_in_our_own_cookie(faults, site):
    (fault,) = faults(f"{site}consent: {{receipts: [euconsent-v2, _fh]}}\n")
    assert "consent.receipts[1]: is our own visitor cookie" in fault
    assert faults(f"{site}consent: {{receipts: ['a b']}}\n")
    assert faults(f"{site}consent: {{receipts: [a, b, c, d, e]}}\n")

"""`privacy.client_ip`: a rule that would never see what it looks for is warned about."""

RULE = "rules: [{name: no staff, when: {client.ip: {in_network: [203.0.113.9/32]}}, drop: true}]\n"


def test_a_rule_about_addresses_that_are_cut_is_warned_about(read, site):
    assert not any("client.ip" in one for one in read(site + RULE).warnings)
    cut = read(f"{site}privacy: {{client_ip: {{EEA: truncated}}}}\n{RULE}").warnings
    assert any(one.startswith("rules: client.ip is never a full address") for one in cut)


def test_only_what_there_is_can_be_wanted(faults, site):
    (fault,) = faults(f"{site}privacy: {{client_ip: half}}\n")
    assert "'full'" in fault

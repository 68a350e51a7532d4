"""The record of processing: every word of it follows from the configuration."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.cli import root
from proxy.config.load import read
from proxy.record import record

GOLDEN = Path(__file__).parent / "golden" / "record"


def written(text):
    return "\n".join(record(read(text, Path("config.yaml"), {}))) + "\n"


def test_the_whole_record():
    """If this fails: firsthand record -c tests/golden/record/config.yaml > tests/golden/record/record.md"""
    result = CliRunner().invoke(root, ["record", "-c", str(GOLDEN / "config.yaml")])
    assert result.exit_code == 0, result.output
    assert result.output == (GOLDEN / "record.md").read_text(encoding="utf-8")


def test_no_credential_and_no_value_of_the_sample_is_in_it():
    text = (GOLDEN / "record.md").read_text(encoding="utf-8")
    for word in ("t-0", "t-2", "s-0", "s-1", "ann@example.com", "AbC123", "203.0.113.7"):
        assert word not in text


def test_it_follows_the_configuration():
    text = written("site: {origins: [https://a.example]}\nconsent: {default: granted, gpc: ignore, log: false}\n")
    assert (
        "Until the visitor decides: granted; `Sec-GPC` is ignored, `DNT` is ignored; decisions are not written down."
        in text
    )
    assert "| Proofs of consent |" in text
    assert "not written |" in text
    assert "Nobody: there is no destination." in text


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ("", "page_view, view_content, add_to_cart, purchase, lead, any other name"),
        ("rules: [{name: r, when: {event: signup_2}, send_to: [m]}]", "signup_2"),
        ("rules: [{name: r, when: {value: {above: 900}}, send_to: [m]}]", "as the conditions of its rules say"),
    ],
)
def test_events_are_those_the_rules_send(rules, line):
    text = written(
        "site: {origins: [https://a.example]}\n"
        f"destinations: {{m: {{kind: meta, pixel_id: '1', access_token: t}}}}\n{rules}\n"
    )
    assert f"- Events: {line}\n" in text
    assert "`data.user_data.em`" in text


def test_what_a_rule_takes_out_is_not_listed():
    text = (GOLDEN / "record.md").read_text(encoding="utf-8")
    crm = text.split("### crm")[1]
    assert "`data.order_id`" in crm
    assert "email" not in crm

from click.testing import CliRunner

from proxy.commands.keygen import command
from proxy.privacy.keys import Keyring


def test_it_prints_one_key_that_works_and_never_the_same():
    first, second = (CliRunner().invoke(command, []).output for _ in range(2))
    assert first.count("\n") == 1
    assert first != second
    assert Keyring.parse(f"{first},{second}")

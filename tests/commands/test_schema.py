from click.testing import CliRunner

from proxy.commands.schema import command
from proxy.config.schema import schema_text


def test_it_prints_the_schema_and_nothing_else():
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 0
    assert result.output == schema_text()

"""Arrows between the folders point one way."""

from importlinter.cli import lint_imports


def test_no_folder_imports_upwards(monkeypatch, capsys):
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0, capsys.readouterr().out

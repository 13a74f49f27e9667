"""The example configuration is made from the settings, and is one."""

from pathlib import Path

from gateway.settings import Settings, load_settings
from gateway.settings.reference import example_yaml

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def test_the_example_is_the_generated_one() -> None:
    assert EXAMPLE.read_text("utf-8") == example_yaml(), "run `gateway config > config.example.yaml`"


def test_the_example_loads_and_changes_nothing() -> None:
    assert load_settings(EXAMPLE, {}) == Settings()


def test_the_example_names_every_section_and_every_setting_in_it() -> None:
    text = example_yaml()
    for name, section in Settings.model_fields.items():
        assert f"\n{name}:" in text
        for key, field in getattr(section.annotation, "model_fields", {}).items():
            assert f"  {field.alias or key}: " in text

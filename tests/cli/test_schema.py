"""`gateway schema`: for producers in other languages."""

import json
from pathlib import Path

from tests.cli.commands import command


async def test_the_schema_of_a_job_is_printed(tmp_path: Path) -> None:
    ended = await command(tmp_path, "", "schema", "job")
    assert json.loads(ended.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"

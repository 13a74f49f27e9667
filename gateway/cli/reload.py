"""`gateway reload`: a running gateway applies what was changed in its settings."""

import json
from collections.abc import Iterator
from typing import Any

import typer

from gateway.cli.asking import asks
from gateway.cli.showing import shown
from gateway.cli.usage import AsJson
from gateway.client import Gateway, NotUnderstood


@asks()
async def reload(gateway: Gateway, as_json: AsJson = False) -> bool:
    """Have a running gateway apply its changed settings; 2 when it refuses them."""
    document = await gateway.reload()
    typer.echo(json.dumps(document, ensure_ascii=True) if as_json else "\n".join(_lines(document)))
    return True


def _lines(document: dict[str, Any]) -> Iterator[str]:
    try:
        yield shown(document["detail"])
        for change, names in document["accounts"].items():
            if names:
                yield f"  accounts {change}: {', '.join(map(shown, names))}"
        for account, queued in document["waiting"].items():
            yield f"  {queued} jobs wait for {shown(account)}, which is none of accounts any more"
    except (KeyError, TypeError, AttributeError) as error:
        raise NotUnderstood(f"this is no answer to a reload that this version knows ({error})") from None

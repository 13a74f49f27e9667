"""Which target and which account a request names."""

from collections.abc import Sequence

from aiohttp import web

from gateway.lanes.policy import account_for
from gateway.model.errors import Refused
from gateway.model.target import Target, parse_target
from gateway.settings import Settings
from gateway.web import KEY, may_use, reaches_all


def target_of(request: web.Request) -> Target:
    """Return the target in the path of REQUEST; raises Refused when it is none, or when its key does not reach it."""
    target = parse_target(f"{request.match_info['kind']}:{request.match_info['id']}")
    if not may_use(request.get(KEY), str(target)):
        raise Refused("target_forbidden", f"this key does not reach {target}; see auth.keys[].targets")
    return target


def account_of(request: web.Request, target: Target, settings: Settings) -> str:
    """Return the account that REQUEST asks for by `?account=`, else the one that serves TARGET; raises Refused."""
    name = request.query.get("account")
    return account_for(target, settings).name if name is None else _configured(name, settings)


def whole_account(request: web.Request, settings: Settings) -> str:
    """Return the account in the path of REQUEST; raises Refused when there is none, or its key reaches only a part."""
    name, key = _configured(request.match_info["name"], settings), request.get(KEY)
    if not reaches_all(key):
        raise Refused("target_forbidden", "this key reaches only some targets, and this concerns all of the account")
    return name


def known_account(name: str, names: Sequence[str]) -> str:
    """Return NAME if it is one of NAMES, of all accounts; raises Refused."""
    if name not in names:
        raise Refused("account_unknown", f"no account is named {name[:40]!r}; known: {', '.join(names)}")
    return name


def _configured(name: str, settings: Settings) -> str:
    return known_account(name, [account.name for account in settings.accounts])

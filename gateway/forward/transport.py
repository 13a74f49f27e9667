"""Which client speaks to the NapCat of an account."""

from gateway.forward.napcat import NapCat
from gateway.forward.napcat_http import NapCatHttp
from gateway.forward.napcat_ws import NapCatWs
from gateway.settings import Account


def napcat_of(account: Account, slack_ms: int) -> NapCat:
    """Return the client of an account by the transport it asks for; it waits SLACK_MS longer than NapCat.

    To be called inside a running event loop. Raises `SettingsInvalid` when endpoint or token cannot be used.
    """
    client = NapCatWs if account.transport == "ws" else NapCatHttp
    return client(account.endpoint, account.token.get_secret_value(), slack_ms, account.max_in_flight)

"""The Lua scripts: one typed method for each file in `lua/`, whose header states keys, arguments, steps and replies."""

from gateway.store.scripts.callbacks import CallbackScripts
from gateway.store.scripts.lanes import LaneScripts
from gateway.store.scripts.processes import ProcessScripts
from gateway.store.scripts.readings import ReadingScripts
from gateway.store.scripts.wishes import WishScripts


class Scripts(LaneScripts, WishScripts, ReadingScripts, CallbackScripts, ProcessScripts):
    """Every script of the gateway on one Redis; each is safe to repeat when its reply was lost."""

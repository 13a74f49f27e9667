"""A client of a cluster that is used like one of a single server: each command goes to who answers for its key.

redis-py has one, too. It repeats what may have happened, and cannot send a script and a WAIT behind it on one
connection; so here redis-py talks to single servers only, and this says to which.

While the keys of a slot are moved one by one, no script of an account runs: among its KEYS are beginnings of names,
which are no keys, so that neither side has all of them, and both refuse (TRYAGAIN). Nothing sees half an account.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import TimeoutError as Silent

from gateway.settings.redis_url import Node
from gateway.store.commands import Command, parts_of
from gateway.store.connections import says_replica
from gateway.store.slots import SlotMap, told_by

_TURNS = 24  # answers that a command may get which are none, before the caller is told
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.2  # seconds before a command is tried again that nobody takes yet
_NOT_DONE = (MovedError, AskError, TryAgainError, NoScriptError)
"""What a node says that has not done what it was told, and would do it, or knows who would."""


class ClusterClient(Redis):
    """One kind of client for all masters of a cluster: each has its own plain client and connections.

    A command that a node did not do because it is not the one is repeated at once at the one that is, and a script that
    a node does not know is told to it. What met a broken connection may have been done, and is not repeated.
    """

    def __init__(self, slots: SlotMap, dial: Callable[[Node], Redis]) -> None:
        """Go by SLOTS; DIAL makes the client of one node. Nothing connects yet."""
        self._slots = slots
        self._dial = dial
        self._nodes: dict[Node, Redis] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._known: tuple[Node, ...] = ()
        self._texts: dict[str, str] = {}
        super().__init__(connection_pool=dial(slots.guess()).connection_pool)  # for its encoder; nothing connects

    def node(self, node: Node) -> Redis:
        """Return the plain client of one node."""
        if self._known is not self._slots.masters:
            self._retire()
        client = self._nodes.get(node)
        if client is None:
            client = self._nodes[node] = self._dial(node)
        return client

    def _retire(self) -> None:
        """Close the connections to nodes that are masters no more."""
        self._known = self._slots.masters
        for gone in self._nodes.keys() - set(self._known):
            closing = asyncio.create_task(self._nodes.pop(gone).aclose(), name=f"leave {gone}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close every connection."""
        for client in self._nodes.values():
            await client.aclose()
        if self._closing:
            await asyncio.wait(self._closing)
        await super().aclose(close_connection_pool)

    def register_script(self, script: Any) -> Any:
        """Return a script that every node learns when it first runs there."""
        registered: Any = super().register_script(script)
        self._texts[registered.sha] = script
        return registered

    def pubsub(self, **options: Any) -> PubSub:
        """Return a subscription at some master: what is published reaches all of them."""
        return self.node(self._slots.guess()).pubsub(**options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "ClusterPipeline":
        """Return commands to be sent together, to each master its own; there are no transactions."""
        if transaction:
            raise NotImplementedError("no transaction spans the masters of a cluster")
        return ClusterPipeline(self)

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Let who answers for the command's key do it."""
        command = Command(words, options)
        asked = await self._slots.owner(command.slot)
        try:
            return await self.node(asked).execute_command(*words, **options)  # type: ignore[no-untyped-call]
        except _NOT_DONE as error:
            (reply,) = await self._again([command], [error], asked)
            if isinstance(reply, Exception):
                raise reply from None
            return reply
        except (RedisError, OSError) as error:
            self._suspect(asked, error)
            raise

    async def together(self, commands: Sequence[Command]) -> list[Any]:
        """Send COMMANDS, those of one node in one go; return their replies, errors among them.

        What breaks the connection to one node is the reply to all that went there: the others' say nothing of it.
        """
        places: dict[Node, list[int]] = {}
        asked: list[Node | None] = []  # None: nobody serves that slot
        replies: list[Any] = [None] * len(commands)
        for place, command in enumerate(commands):
            slot = None if command.waits else command.slot
            try:
                # What any master may answer goes with what is before it, as it would to a single server.
                node = asked[-1] if slot is None and asked else await self._slots.owner(slot)
            except ClusterDownError as error:
                node, replies[place] = None, error
            asked.append(node)
            if node is not None:
                places.setdefault(node, []).append(place)
            elif slot is None:
                replies[place] = replies[place - 1]
        sent = (self._send(node, [commands[place] for place in there]) for node, there in places.items())
        answers = await asyncio.gather(*sent, return_exceptions=True)
        for there, answer in zip(places.values(), answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, (RedisError, OSError)):
                raise answer
            said = [answer] * len(there) if isinstance(answer, BaseException) else answer
            for place, reply in zip(there, said, strict=True):
                replies[place] = reply
        for part in parts_of(commands):
            await self._mend(commands, part, asked[part[0]], replies)
        return replies

    async def _mend(self, commands: Sequence[Command], part: list[int], asked: Node | None, replies: list[Any]) -> None:
        """Repeat what of a PART was not done by the node ASKED; its REPLIES take the place of the former ones."""
        if asked is None:
            return
        said = [replies[place] for place in part]
        if any(isinstance(reply, _NOT_DONE) for reply in said):
            try:
                said = await self._again([commands[place] for place in part], said, asked)
            except (RedisError, OSError) as error:
                said = [error if isinstance(reply, _NOT_DONE) else reply for reply in said]
            for place, reply in zip(part, said, strict=True):
                replies[place] = reply
        for reply in said:
            if isinstance(reply, RedisError):
                self._suspect(asked, reply)

    async def _again(self, commands: list[Command], replies: list[Any], asked: Node) -> list[Any]:
        """Repeat which of COMMANDS was not done, as their REPLIES say, and the WAITs behind, until all are or fail."""
        pause, asking = _FIRST_PAUSE, False
        for turn in range(_TURNS):
            undone = [place for place, reply in enumerate(replies) if isinstance(reply, _NOT_DONE)]
            if not undone:
                break
            error = replies[undone[0]]
            # Keys that are on their way arrive; and masters that each name the other, after an election, soon agree.
            if isinstance(error, TryAgainError) or turn > 1:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            if isinstance(error, MovedError):
                asked, asking = self._slots.moved(error, asked), False
            elif isinstance(error, AskError):
                asked, asking = told_by(error, asked), True
            elif isinstance(error, TryAgainError):
                asked, asking = await self._slots.owner(commands[undone[0]].slot), False
            elif (told := self._told(commands, undone[0])) is not None:
                commands = told
            else:
                break
            places = [at for at, one in enumerate(commands) if at in undone or (one.waits and at > undone[0])]
            answers = await self._send(asked, [commands[place] for place in places], asking=asking)
            for place, answer in zip(places, answers, strict=True):
                replies[place] = answer
        return replies

    def _told(self, commands: list[Command], place: int) -> list[Command] | None:
        """Return COMMANDS with the text of the script at PLACE in it; None when that is not known.

        Nor where a WAIT follows: it is for all that is before it, so who wrote them so has to send all again.
        """
        _, sha, *rest = commands[place].words
        text = self._texts.get(sha.decode() if isinstance(sha, bytes) else str(sha))
        if text is None or commands[place].name != "EVALSHA" or any(command.waits for command in commands):
            return None
        told = Command(("EVAL", text, *rest), commands[place].options)
        return [*commands[:place], told, *commands[place + 1 :]]

    async def _send(self, node: Node, commands: Sequence[Command], *, asking: bool = False) -> list[Any]:
        """Send COMMANDS to NODE in one go and return their replies; ASKING: it is about to get their slot."""
        try:
            async with self.node(node).pipeline(transaction=False) as pipe:
                for command in commands:
                    if asking and not command.waits:
                        pipe.execute_command("ASKING")
                    pipe.execute_command(*command.words, **command.options)
                replies: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._suspect(node, error)
            raise
        if not asking:
            return replies
        told = iter(replies)
        return [next(told) if command.waits else (next(told), next(told))[1] for command in commands]

    def _suspect(self, node: Node, error: Exception) -> None:
        """Look who answers for what before the next command, if ERROR says that NODE may not."""
        broken = isinstance(error, (Disconnected, Silent, ClusterDownError, OSError))
        if broken or says_replica(error):
            self._slots.doubt(node)


class ClusterPipeline(Pipeline):
    """Commands of many keys that are sent together."""

    def __init__(self, client: ClusterClient) -> None:
        """Gather commands for CLIENT."""
        self._client = client
        super().__init__(client.connection_pool, client.response_callbacks, transaction=False, shard_hint=None)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send what was gathered and return the replies; what was never done is repeated where it can be done."""
        commands = [Command(words, options) for words, options in self.command_stack]
        try:
            replies = await self._client.together(commands) if commands else []
        finally:
            await self.reset()  # type: ignore[no-untyped-call]
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies

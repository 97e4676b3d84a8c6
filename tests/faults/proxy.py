"""A TCP proxy that misbehaves on command: it stands between a node and its PostgreSQL.

It refuses, goes silent, delays, cuts every connection at once, cuts one after so many octets, and
cuts one around a statement: before the server got it, when it was sent and nobody knows, or when
the server has answered and only the answer is lost. Of those three a client sees the same.
"""

import asyncio
import contextlib
import enum
import re
import threading
from collections import Counter

from processes import free_port

CHUNK = 65536


class Stage(enum.Enum):
    BEFORE = "before"      # the statement never reaches the server
    SENT = "sent"          # it does; the connection ends before anything comes back
    ANSWERED = "answered"  # the server's answer is there, and is thrown away


class _Cut(Exception):
    """Ends a connection from within."""


class _Connection:
    def __init__(self, client, server):
        self.client, self.server = client, server  # writers
        self.drop_answer = False

    def abort(self):
        # RST, not FIN: what a crashed machine's peer sees, and nothing buffered is still delivered.
        for writer in (self.client, self.server):
            with contextlib.suppress(Exception):
                writer.transport.abort()


class Proxy:
    """Listens on `port`, forwards to `target`, a port, between start() and stop(). Its methods may
    be called from any thread and return when what they say is so."""

    def __init__(self, target, address="127.0.0.1"):
        self.target, self.address = target, address
        self.port = free_port(address)
        self.counts = Counter()     # what was done, by name
        self._connections = set()
        self._open = None           # set: octets flow
        self._delay = 0.0
        self._armed = None          # (pattern, stage, how many matches to come, that one included)
        self._budget = None         # octets until a cut, both ways together
        self._server = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self):
        self._thread.start()
        self._do(self._begin())
        return self

    def stop(self):
        if not self._thread.is_alive():
            return
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- faults --
    def refuse(self):
        """Cuts what there is, and nobody listens until restore()."""
        self._do(self._refuse())

    def silence(self):
        """Connections stay and new ones are accepted, but nothing arrives until restore()."""
        self._do(self._set_open(False))

    def delay(self, seconds):
        """Each chunk, either way, waits that long until restore()."""
        self._do(self._set_delay(seconds))

    def restore(self):
        """As at the beginning. What was silent is delivered now, late as it is."""
        self._do(self._restore())

    def cut(self):
        """Ends every connection now, in mid-statement or not. Returns how many."""
        return self._do(self._cut_all())

    def cut_after(self, octets):
        """The connection that carries the octet of this number from now on ends there."""
        self._do(self._set_budget(octets))

    def arm(self, stage, pattern=rb"COMMIT", nth=1):
        """The `nth` chunk from clients that matches is the last of its connection: see Stage."""
        self._do(self._arm(re.compile(pattern), stage, nth))

    def disarm(self):
        """Whether the trap was still set."""
        return self._do(self._disarm())

    # -- in the loop's thread --
    def _do(self, step):
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(30)

    async def _begin(self):
        if self._open is None:
            self._open = asyncio.Event()
        self._open.set()
        self._server = await asyncio.start_server(self._serve, self.address, self.port)

    async def _close_listener(self):
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end(self):
        await self._close_listener()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _refuse(self):
        self.counts["refuse"] += 1
        await self._close_listener()
        await self._cut_all()

    async def _restore(self):
        self._delay, self._armed, self._budget = 0.0, None, None
        if self._server is None:
            await self._begin()
        self._open.set()

    async def _set_open(self, value):
        self.counts["silence"] += not value
        self._open.set() if value else self._open.clear()

    async def _set_delay(self, seconds):
        self.counts["delay"] += 1
        self._delay = seconds

    async def _set_budget(self, octets):
        self._budget = octets

    async def _arm(self, pattern, stage, nth):
        self._armed = (pattern, stage, nth)

    async def _disarm(self):
        armed, self._armed = self._armed is not None, None
        return armed

    async def _cut_all(self):
        found = list(self._connections)
        for connection in found:
            connection.abort()
        self.counts["cut"] += len(found)
        return len(found)

    async def _serve(self, reader, writer):
        try:
            upstream, server = await asyncio.open_connection(self.address, self.target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, server)
        self._connections.add(connection)
        try:
            ways = [asyncio.ensure_future(self._pump(connection, reader, server, True)),
                    asyncio.ensure_future(self._pump(connection, upstream, writer, False))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            connection.abort()
            self._connections.discard(connection)

    async def _pump(self, connection, reader, writer, from_client):
        with contextlib.suppress(OSError, _Cut):
            while chunk := await reader.read(CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._open.wait()
                if not from_client and connection.drop_answer:
                    self.counts["cut when answered"] += 1
                    return
                await self._pass(connection, chunk, writer, from_client)

    async def _pass(self, connection, chunk, writer, from_client):
        stage = self._trap(chunk) if from_client else None
        if stage is Stage.BEFORE:
            self.counts["cut before"] += 1
            raise _Cut
        if self._budget is not None:
            if self._budget < len(chunk):
                writer.write(chunk[:self._budget])
                self._budget = None
                self.counts["cut at octet"] += 1
                await self._flush(writer)
                raise _Cut
            self._budget -= len(chunk)
        connection.drop_answer = connection.drop_answer or stage is Stage.ANSWERED
        writer.write(chunk)
        await writer.drain()
        if stage is Stage.SENT:
            self.counts["cut when sent"] += 1
            await self._flush(writer)
            raise _Cut

    async def _flush(self, writer):
        """Until the kernel has it all: an abort would throw away what is still here."""
        while writer.transport.get_write_buffer_size():
            await asyncio.sleep(0)

    def _trap(self, chunk):
        if self._armed is None or not self._armed[0].search(chunk):
            return None
        pattern, stage, nth = self._armed
        self._armed = (pattern, stage, nth - 1) if nth > 1 else None
        return stage if nth == 1 else None

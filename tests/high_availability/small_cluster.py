"""A cluster over queues in virtual time, whose links a test cuts and whose disks it breaks."""

import asyncio
from dataclasses import replace
from random import Random

from lessonlib.high_availability import HighAvailabilityManager, NotLeader, format_disk
from lessonlib.ports import LocalHub, LocalTransport, MemoryDisk, local_ports


class Wire(LocalTransport):
    """A transport that loses what the cluster's `cuts` say, and keeps what was sent."""

    def __init__(self, name, hub, cluster):
        super().__init__(name, hub)
        self.cluster = cluster

    def send(self, to, message):
        self.cluster.sent.append((self.name, to, message))
        if (self.name, to) not in self.cluster.cuts:
            super().send(to, message)


class FrailDisk(MemoryDisk):
    """A disk whose writes fail while `broken`, and take `slow_s`."""

    broken = False
    slow_s = 0.0001

    async def append(self, file, record):
        await self.write()
        await super().append(file, record)

    async def replace(self, file, records):
        await self.write()
        await super().replace(file, records)

    async def write(self):
        await asyncio.sleep(self.slow_s)
        if self.broken:
            raise OSError(5, "the disk is broken")


class Cluster:
    """Members by name; `moves` are their transitions, `applied` what each has applied in its present life."""

    def __init__(self, size=3, **options):
        self.size = size
        self.options = options
        self.names = [f"node-{number}" for number in range(1, size + 1)]
        self.cuts = set()
        self.sent = []
        self.moves = []
        self.assignments = []
        self.applied = {}
        hub = LocalHub()
        self.ports = {
            name: replace(
                local_ports(name, seed=number),
                transport=Wire(name, hub, self),
                disk=FrailDisk(),
                random=Random(number),
            )
            for number, name in enumerate(self.names, 1)
        }
        self.members = {}

    async def start(self, *names, formatted=True):
        for name in names or self.names:
            if formatted:
                await format_disk(self.ports[name].disk, name)
            self.applied[name] = []
            self.members[name] = HighAvailabilityManager(
                self.size,
                ports=self.ports[name],
                on_transition=lambda *move: self.moves.append(move),
                on_applied=lambda node, *entry: self.applied[node].append(entry),
                on_assignment=lambda *about: self.assignments.append(about),
                **self.options,
            )
            await self.members[name].initialize_cluster()

    async def led(self):
        """Start all and return the leader's name."""
        await self.start()
        await asyncio.sleep(1)
        return self.leader()

    def leader(self):
        leading = [name for name, member in self.members.items() if member.token is not None]
        return max(leading, key=lambda name: self.members[name].token, default=None)

    def others(self, name):
        return [other for other in self.names if other != name]

    def isolate(self, name, *, deaf=True, mute=True):
        for other in self.others(name):
            self.cuts |= ({(other, name)} if deaf else set()) | ({(name, other)} if mute else set())

    async def stop(self, name, *, losing_disk=False):
        await self.members.pop(name).close()
        if losing_disk:
            self.ports[name].disk.files.clear()

    async def write(self, key, value):
        """Write as a client does: ask around until a leader takes it."""
        for _ in range(50):
            for member in list(self.members.values()):
                try:
                    return await member.write(key, value)
                except NotLeader:
                    pass
            await asyncio.sleep(0.1)
        raise AssertionError("no leader takes the write")

    async def close(self):
        for member in self.members.values():
            await member.close()

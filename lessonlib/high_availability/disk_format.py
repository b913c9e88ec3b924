"""A mark on the disk that says whose it is, so that a member notices when it has lost its promises.

How to think about it. A member that comes back with an empty disk looks like a new one. It must not act like one: it
may have voted in this term, and it may have been one of the majority that held a committed entry. Votes given twice
and majorities that forget are how a cluster loses what it acknowledged. An empty disk alone cannot tell the two
cases apart, so a *new* disk is marked once, by whoever deploys the cluster.

A member whose disk lacks the mark becomes a *learner*: it listens and applies, it never votes, and nothing counts
as being on its disk. An operator replaces it, with another name, when there is time (etcd: member remove, member add).
Kafka does the same since it runs without ZooKeeper (`kafka-storage format`).
"""

from __future__ import annotations

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import DISK, able, text
from lessonlib.ports import Disk

FORMAT_FILE = "format"


async def format_disk(disk: Disk, name: str) -> None:
    """Mark a new disk as the member `name`'s. Once, when the cluster is deployed; never when a member restarts.

    Raises LessonError when the disk is another member's, and OSError when it cannot be written.
    """
    able("disk", disk, DISK, example="node.ports.disk")
    text("name", name, example="node-1")
    if not await is_formatted(disk, name):
        await disk.replace(FORMAT_FILE, [{"member": name}])


async def is_formatted(disk: Disk, name: str) -> bool:
    """Return whether the disk bears the mark of `name`. Raises LessonError when it bears another's."""
    marks = await disk.read(FORMAT_FILE)
    if not marks:
        return False
    if marks[-1]["member"] != name:
        raise LessonError(
            f"name={name!r} is not whose disk this is: it was formatted for {marks[-1]['member']!r}; "
            "give each member its own disk"
        )
    return True

"""Why the cluster did not do what a caller asked. Each reason asks for something else from the caller.

| error | what it says | may it have happened? |
|---|---|---|
| `NotLeader` | this member does not lead; `leader` may name who does | no: ask there |
| `NotCommitted` | the write is not known to be on a majority of disks | yes: it may be committed later |
| `NotConfirmed` | no majority confirmed in time that this member still leads | a read changes nothing: ask again |
| `LogFull` | the replicated log is as long as it may be | no |
| `StaleToken` | a newer leader has written to this resource | no: stop, you lead no more |
"""

from __future__ import annotations

from lessonlib.errors import LessonError


class ClusterError(LessonError):
    """The cluster did not do what was asked."""


class NotLeader(ClusterError):
    """Asked of a member that does not lead. It has done nothing.

    Attributes:
        leader: who leads as far as this member knows, or None.
    """

    def __init__(self, message: str, *, leader: str | None = None) -> None:
        super().__init__(message)
        self.leader = leader


class NotCommitted(ClusterError):
    """The outcome of a write is not known: it may have been lost, and it may still be committed."""


class NotConfirmed(ClusterError):
    """A read was given up, since no majority confirmed that the leader still leads."""


class LogFull(ClusterError):
    """The log has reached its bound and takes no more writes."""


class LogConflict(ClusterError):
    """An entry that this member knows to be committed was about to be overwritten: a rule of Raft is broken."""


class StaleToken(ClusterError):
    """A write came with a fencing token lower than the highest that the resource has seen.

    Attributes:
        token: the token that was refused.
        highest: the highest token seen so far.
    """

    def __init__(self, message: str, *, token: int, highest: int) -> None:
        super().__init__(message)
        self.token = token
        self.highest = highest

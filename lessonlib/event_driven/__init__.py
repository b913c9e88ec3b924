"""Lesson 1: event-driven architecture. The public names of the pattern; each file holds one idea."""

from lessonlib.event_driven.dead_letters import DeadLetter, DeadLetterQueue
from lessonlib.event_driven.delivery import Delivery
from lessonlib.event_driven.event import Event, FrozenDict, event_id
from lessonlib.event_driven.handlers import EventHandler
from lessonlib.event_driven.idempotent import IdempotentHandler
from lessonlib.event_driven.log import EventLog
from lessonlib.event_driven.outbox import Outbox
from lessonlib.event_driven.publisher import EventPublisher
from lessonlib.event_driven.remote import LogServer, RemoteEventLog
from lessonlib.event_driven.shop import InventoryManager, OrderProcessor
from lessonlib.event_driven.subscription import Subscription

__all__ = [
    "DeadLetter",
    "DeadLetterQueue",
    "Delivery",
    "Event",
    "EventHandler",
    "EventLog",
    "EventPublisher",
    "FrozenDict",
    "IdempotentHandler",
    "InventoryManager",
    "LogServer",
    "OrderProcessor",
    "Outbox",
    "RemoteEventLog",
    "Subscription",
    "event_id",
]

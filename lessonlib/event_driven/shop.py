"""The shop's own handlers: one confirms an order, one takes what was ordered from the stock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lessonlib.errors import LessonError
from lessonlib.event_driven.arguments import text, whole
from lessonlib.event_driven.event import Event
from lessonlib.event_driven.idempotent import IdempotentHandler
from lessonlib.ports import Disk


class OrderProcessor(IdempotentHandler):
    """Confirms orders: one record `{"order": …, "status": "confirmed"}` each."""

    def __init__(self, disk: Disk | None = None) -> None:
        super().__init__(disk, file="confirmed", state={})

    def decide(self, event: Event) -> dict[str, Any]:
        return {"order": event["data"]["order_id"], "status": "confirmed"}

    def apply(self, change: Mapping[str, Any]) -> None:
        self.state[str(change["order"])] = change["status"]


class InventoryManager(IdempotentHandler):
    """Takes what was ordered from the stock, once for each order and never below zero.

    Each order leaves one record in the file "stock": `{"order", "sku", "quantity", "source", "id"}`. An order
    for more than there is takes nothing and is recorded with quantity 0.

    Args:
        disk: where the records live; left out, in memory.
        stock: the stock at the beginning, by SKU.
    """

    def __init__(self, disk: Disk | None = None, stock: Mapping[str, int] | None = None) -> None:
        if stock is not None and not isinstance(stock, Mapping):
            raise LessonError(f"stock={stock!r:.60} should be a dict; write for instance {{'tea': 10}}")
        for sku, left in (stock or {}).items():
            text("sku", sku, example="tea")
            whole(f"stock[{sku!r}]", left, least=0)
        super().__init__(disk, file="stock", state=dict(stock or {}))

    @property
    def stock(self) -> dict[str, int]:
        """What is left, by SKU, as far as this incarnation has read its disk."""
        return dict(self.state)

    def decide(self, event: Event) -> dict[str, Any]:
        order = event["data"]
        sku, quantity = order["sku"], order["quantity"]
        whole("quantity", quantity, least=1)
        enough = self.state.get(sku, 0) >= quantity
        return {"order": order["order_id"], "sku": sku, "quantity": quantity if enough else 0}

    def apply(self, change: Mapping[str, Any]) -> None:
        self.state[change["sku"]] = self.state.get(change["sku"], 0) - change["quantity"]

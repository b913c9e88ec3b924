"""The textbook's cluster: short, plausible, and wrong in every place that is marked."""

from __future__ import annotations

# ---- Heartbeats ------------------------------------------------------------------------------------------


class HeartbeatTable:
    """Keeps of every node when it was heard last, and its status. As long as nobody sets it, it is healthy."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.nodes: dict[str, dict[str, object]] = {}

    def watch(self, node: str, now_s: float) -> None:
        self.nodes[node] = {"status": "healthy", "last_heartbeat_s": now_s}

    def heard(self, node: str, now_s: float) -> None:
        self.nodes[node]["last_heartbeat_s"] = now_s

    def forget(self, node: str) -> None:
        del self.nodes[node]

    def suspects(self, now_s: float) -> list[str]:
        return sorted(name for name, node in self.nodes.items() if node["status"] == "failed")  # H1

    def alive(self, now_s: float) -> list[str]:
        return sorted(name for name, node in self.nodes.items() if node["status"] == "healthy")

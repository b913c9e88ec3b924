"""asyncio's own event loop in a hurry: what it does is asyncio's doing, but no test waits for it, nor for a busy machine."""

import asyncio


class HurriedLoop(asyncio.SelectorEventLoop):
    """It does not wait for a timer: it moves its clock there."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self._selector.select = self.hurry

    def time(self):
        return self.now

    def hurry(self, timeout=None):
        self.now += timeout or 0
        return []


def run_on_asyncios_loop(main):
    """As asyncio.run."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(main)

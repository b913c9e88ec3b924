from __future__ import annotations

import pytest
from view_runs import PLAN, SHOP, ten_thousand_orders

from lessonlib.lab.scenario import Run


@pytest.fixture(scope="session")
def faulty() -> Run:
    return SHOP.run("textbook", plan=PLAN)


@pytest.fixture(scope="session")
def healthy() -> Run:
    return SHOP.run("pattern")


@pytest.fixture(scope="session")
def crowded() -> Run:
    return ten_thousand_orders()

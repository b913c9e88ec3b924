"""The simulated service: capacity, queue, and work for clients who have left."""

import asyncio
from random import Random

import pytest

from lessonlib.errors import LessonError
from lessonlib.fault_tolerance.dependency import Dependency, Latency, Overloaded
from lessonlib.lab import simulate

STEADY = Latency(1.0, 1.0, 1.0, 1.0)


def with_service(main, **options):
    """Run `main(dependency)` beside a service of two workers that take a second each."""

    async def both():
        dependency = Dependency(
            **{"workers": 2, "queue_max": 3, "latency": STEADY, "random": Random(1), **options}
        )
        serving = asyncio.create_task(dependency.serve())
        try:
            return await main(dependency)
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    return simulate(both())


def test_it_works_on_as_many_requests_as_it_has_workers_and_queues_the_rest():
    async def main(dependency):
        times = []

        async def client():
            await dependency.call("x")
            times.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(client() for _ in range(5)))
        return times

    assert with_service(main) == [1, 1, 2, 2, 3]


def test_a_full_queue_is_said_at_once():
    async def main(dependency):
        waiting = [asyncio.create_task(dependency.call(n)) for n in range(5)]
        await asyncio.sleep(0.5)
        assert dependency.queued == 3
        with pytest.raises(Overloaded, match="3 requests are waiting, as many as may be; try later"):
            await dependency.call("x")
        await asyncio.gather(*waiting)
        assert dependency.queued == 0

    with_service(main)


def test_work_goes_on_for_a_client_who_has_left():
    served = []

    async def main(dependency):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await dependency.call("x")
        await asyncio.sleep(1)

    with_service(
        main, on_served=lambda request, took_s, wanted, error: served.append((request, took_s, wanted))
    )
    assert served == [("x", 1.0, False)]


def test_the_latency_has_the_quantiles_and_the_mean_that_it_says():
    latency, random = Latency(), Random(1)
    times = sorted(latency.draw(random) for _ in range(20_000))
    assert times[10_000] == pytest.approx(latency.p50_s, rel=0.02)
    assert times[19_000] == pytest.approx(latency.p95_s, rel=0.06)
    assert latency.p0_s <= times[0] and times[-1] <= latency.p100_s
    assert sum(times) / 20_000 == pytest.approx(latency.mean_s, rel=0.02)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(LessonError, match="goes down; give quantiles that grow"):
        Latency(0.5, 0.1, 0.2, 0.3)
    with pytest.raises(LessonError, match="workers=0 should be a whole number; give 1 or more"):
        with_service(lambda dependency: None, workers=0)

"""State strips, the state machine, attempts and load: on made-up runs, so that nothing here knows a lesson."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from view_runs import SHOP, made_up

from lessonlib.views import Flow, ViewError, attempts, offered, state_machine, states
from lessonlib.views.state_strips import stays

TABLE = (("red", "time", "green"), ("green", "time", "amber"), ("amber", "time", "red"))


def changed(t_s, source, target, breaker="mail"):
    data = {"breaker": breaker, "source": source, "target": target}
    return (round(t_s * 1e6), "transition", "shop", data)


def job(number, t_s, end_s, kind="ok", *tries, service="mail", **more):
    """The records of a job: its call, and (start, end, outcome) of each attempt."""
    about = {"op": "process", "call": number, "job": number, "event": number, "service": service}
    records = [(round(t_s * 1e6), "invoke", "shop", about)]
    for n, (start, end, outcome) in enumerate(tries, 1):
        one = {"job": number, "event": number, "number": n}
        records.append((round(start * 1e6), "attempt", service, one))
        records.append((round(end * 1e6), "answer", service, {**one, "outcome": outcome}))
    return [*records, (round(end_s * 1e6), kind, "shop", {**about, **more})]


RUN = made_up(
    sorted(
        [
            *job(1, 0.1, 0.2, "ok", (0.1, 0.2, "ok")),
            *job(
                2,
                0.5,
                2.0,
                "failed",
                (0.5, 1.0, "Unavailable"),
                (1.5, 2.0, "timed out"),
                type="RetriesExhausted",
            ),
            *job(3, 2.5, 2.5, "failed", type="CircuitOpen"),
            *job(4, 3.0, 3.3, "failed", (3.0, 3.3, "rejected"), type="NotRetryable"),
            changed(2.0, "closed", "open"),
            changed(3.0, "open", "half-open"),
            changed(3.4, "half-open", "closed"),
        ],
        key=lambda record: record[0],
    )
)


def test_a_machine_stays_in_each_state_until_the_next_change_and_begins_anew_with_its_node():
    run = made_up(
        [changed(1, "closed", "open"), (2_000_000, "restart", "shop", {}), changed(3, "closed", "open")]
    )
    found = stays(
        run.history,
        kind="transition",
        machine=lambda r: r.data["breaker"],
        initial="closed",
        end_us=4_000_000,
    )
    assert [(s.state, s.start_us, s.end_us) for s in found["mail"]] == [
        ("closed", 0, 1_000_000),
        ("open", 1_000_000, 2_000_000),
        ("closed", 2_000_000, 3_000_000),
        ("open", 3_000_000, 4_000_000),
    ]


def test_the_words_name_each_state_and_count_the_calls():
    words = states(RUN).describe()
    assert "mail: closed from 0 s, open from 2 s, half-open from 3 s, closed from 3.4 s." in words
    assert "call ok 1, call failed 2, request rejected 1, refused without a call 1" in words


def test_states_of_another_name_are_drawn_too():
    run = made_up([(1_000_000, "became", "n1", {"source": "follower", "target": "leader"})])
    picture = states(run, kind="became", machine=lambda r: r.node, initial="follower", marks=())
    assert "n1: follower from 0 s, leader from 1 s." in picture.describe()
    assert ">leader<" in picture.svg


def test_a_machine_is_drawn_from_its_table():
    picture = state_machine(TABLE, current="green", title="A light")
    ElementTree.fromstring(picture.svg)
    assert picture.describe().splitlines() == [
        "A light: red, green, amber. It begins red. It is green now.",
        "From red to green: time.",
        "From green to amber: time.",
        "From amber to red: time.",
    ]
    assert picture.svg == state_machine(list(TABLE), current="green", title="A light").svg
    assert ">now<" in picture.svg and ">now<" not in state_machine(TABLE).svg


def test_a_machine_that_can_stay_where_it_is_is_drawn():
    ElementTree.fromstring(state_machine([("a", "again", "a"), ("a", "go", "b"), ("a", "run", "b")]).svg)


def test_attempts_show_those_in_trouble_and_say_how_each_ended():
    words = attempts(RUN).describe()
    assert "Job 1 " not in words
    assert (
        "Job 2 (event 2, mail), asked for at 0.5 s: begun at 0.5 s, Unavailable 500 ms later; begun at 1.5 s, timed out 500 ms later; "
        "RetriesExhausted at 2 s." in words
    )
    assert "Job 3 (event 3, mail), asked for at 2.5 s: no attempt; CircuitOpen at 2.5 s." in words
    assert "Job 1 " in attempts(RUN, jobs=[1]).describe()


def test_load_counts_what_arrives_what_is_offered_and_what_is_answered():
    words = offered(RUN, capacity_per_s=5).describe()
    assert "jobs arriving: 2, 0, 1, 1 a second" in words
    assert "calls offered: 2, 1, 0, 1 a second" in words
    assert "answered in time: 1, 0, 0, 0 a second" in words
    assert "Capacity: 5 a second." in words


def test_what_is_counted_can_be_said():
    words = offered(
        RUN, flows=[Flow("refusals", lambda r: r.get("type") == "CircuitOpen")], bin_s=0.5
    ).describe()
    assert "refusals" in words and "at most 2, at 2.5 s" in words


@pytest.mark.parametrize("view", [states, attempts, offered])
def test_each_is_well_formed_repeats_and_shows_a_part(view):
    picture = view(RUN)
    ElementTree.fromstring(picture.svg)
    assert picture.svg == view(RUN).svg
    assert "1 s to 3 s of virtual time" in view(RUN, start_s=1, end_s=3).describe()


def test_hostile_names_are_escaped():
    run = made_up([*job(1, 0, 1, "failed", (0, 1, "<b>&"), service="<b>&", type="<i>")])
    for picture in (states(run), attempts(run), state_machine([("<b>", "&", "\x00")])):
        ElementTree.fromstring(picture.svg)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: states(SHOP.run()), "nothing changed its state"),
        (lambda: states(RUN, machines=["nobody"]), "choose from 'mail'"),
        (lambda: states(RUN, machines="mail"), "choose from 'mail'"),
        (lambda: states("run"), "shows one run"),
        (lambda: attempts(SHOP.run()), "no call has a job"),
        (lambda: attempts(RUN, jobs=[99]), "choose numbers from 1 to 4"),
        (lambda: attempts(RUN, start_s=100), "give another part"),
        (lambda: offered(made_up([(0, "x", "a", {})])), "nothing to count"),
        (lambda: offered(RUN, bin_s=0), "give seconds"),
        (lambda: offered(RUN, flows=[]), "give so many"),
        (lambda: state_machine([]), "rows of"),
        (lambda: state_machine(7), "rows of"),
        (lambda: state_machine(TABLE, current="blue"), "choose from red, green, amber"),
        (lambda: state_machine([(str(n), "x", str(n + 1)) for n in range(9)]), "too many"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(call, words):
    with pytest.raises(ViewError, match=words):
        call()

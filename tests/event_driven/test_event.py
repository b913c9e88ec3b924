"""What an event is: its attributes, its name, and that nobody can change it."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lessonlib.errors import LessonError
from lessonlib.event_driven import Event, FrozenDict, event_id
from lessonlib.event_driven.event import freeze, rfc3339, thaw

ORDER = {"order_id": 7, "items": [{"sku": "tea", "quantity": 2}], "customer": {"name": "Ann"}}

plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
orders = st.dictionaries(st.text(), plain_data, max_size=4)
repeatably = settings(derandomize=True, max_examples=80, deadline=None)


def turned(value):
    """The same value with the keys of every dict in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(item) for key, item in reversed(value.items())}
    return [turned(item) for item in value] if isinstance(value, list) else value


def test_an_event_has_the_attributes_of_cloudevents():
    event = Event("order_created", "shop", ORDER, time="2026-01-01T00:00:00Z", subject="customer-7")
    assert event.to_dict() == {
        "type": "order_created",
        "source": "shop",
        "data": ORDER,
        "id": event_id("order_created", ORDER),
        "time": "2026-01-01T00:00:00Z",
        "subject": "customer-7",
        "specversion": "1.0",
    }


def test_an_event_reads_like_the_classic_dict():
    event = Event("order_created", "shop", ORDER, time="2026-01-01T00:00:00Z")
    assert event["data"]["order_id"] == 7
    assert event["type"] == event.type and event["id"] == event.id
    assert event["timestamp"] == event["time"] == event.get("timestamp") == "2026-01-01T00:00:00Z"
    assert event.get("data") is event.data
    assert event.get("no such thing") is None and event.get("no such thing", 3) == 3
    with pytest.raises(KeyError, match="an event has no 'nothing'; it has type, source, data"):
        event["nothing"]


def test_an_event_is_frozen_all_the_way_down():
    given_data = copy.deepcopy(ORDER)
    event = Event("order_created", "shop", given_data)
    with pytest.raises(FrozenInstanceError):
        event.type = "other"
    for change in (
        lambda d: d.update(order_id=8),
        lambda d: d.__setitem__("order_id", 8),
        lambda d: d.__delitem__("order_id"),
        lambda d: d.pop("order_id"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("new", 1),
        lambda d: d.__ior__({"new": 1}),
        lambda d: d["customer"].update(name="Bob"),
        lambda d: d["items"][0].update(quantity=0),
        lambda d: d["items"].append(1),
        lambda d: d["items"].__setitem__(0, 1),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change(event.data)
    assert thaw(event.data) == ORDER
    given_data["items"][0]["quantity"] = 99
    assert thaw(event.data) == ORDER, "the event holds on to what the caller can still change"


def test_a_copy_of_the_data_can_be_changed():
    event = Event("order_created", "shop", ORDER)
    mine = dict(event["data"])
    mine["order_id"] = 8
    assert event["data"]["order_id"] == 7


def test_events_can_be_copied_pickled_compared_and_kept_in_sets():
    event = Event("order_created", "shop", ORDER)
    assert copy.deepcopy(event) == copy.copy(event) == pickle.loads(pickle.dumps(event)) == event
    assert isinstance(copy.deepcopy(event).data, FrozenDict)
    assert len({event, copy.deepcopy(event)}) == 1


@repeatably
@given(st.text(min_size=1), orders)
def test_the_id_does_not_depend_on_the_order_of_keys(event_type, data):
    assert event_id(event_type, data) == event_id(event_type, turned(data))


@repeatably
@given(orders)
def test_an_event_comes_back_from_json_as_it_was(data):
    event = Event("order_created", "shop", data)
    again = Event.from_dict(json.loads(json.dumps(event.to_dict())))
    assert again == event and again.key == event.key and hash(again) == hash(event)


@repeatably
@given(orders, orders)
def test_different_data_makes_a_different_id(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (event_id("order_created", one) == event_id("order_created", other)) == same


@repeatably
@given(plain_data)
def test_freezing_and_thawing_changes_nothing(data):
    assert thaw(freeze(data)) == data


@pytest.mark.parametrize("one", [1, 1.0, True, "1", [1], {"": 1}, None])
def test_values_that_are_equal_in_python_only_are_not_the_same_event(one):
    others = [1, 1.0, True, "1", [1], {"": 1}, None]
    ids = [event_id("t", other) for other in others]
    assert len(set(ids)) == len(others) and event_id("t", one) in ids


def test_type_and_source_belong_to_the_name_but_the_source_is_not_in_the_id():
    shop, phone = Event("t", "shop", ORDER), Event("t", "phone", ORDER)
    assert shop.id == phone.id and shop.key != phone.key
    assert Event("u", "shop", ORDER).id != shop.id


def test_the_id_is_the_same_in_every_process():
    program = f"from lessonlib.event_driven import event_id; print(event_id('order_created', {ORDER!r}))"
    ids = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for salt in ("0", "1", "4711")
    }
    assert ids == {event_id("order_created", ORDER)} == {"4ef318a46e0bc2f61d9001c219093da1"}


def test_an_id_of_your_own_is_kept():
    assert Event("reading", "sensor", {"celsius": 20}, id="reading-5").id == "reading-5"


def test_time_is_written_in_utc_with_its_zone():
    assert rfc3339(1_767_225_600.25) == "2026-01-01T00:00:00.250Z"
    with pytest.raises(LessonError, match="RFC 3339 with a zone"):
        Event("t", "s", time="2026-01-01T00:00:00")  # the textbook's time: whose midnight?

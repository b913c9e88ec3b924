"""For each exercise of lesson 4: two right answers, written otherwise than the solution, and the misconceptions."""

import asyncio
import collections
import math
import random as random_module
import time

from lessonlib.high_availability.errors import StaleToken
from lessonlib.high_availability.scenario import mystery
from lessonlib.ports import MemoryDisk

# ---- 4.1 -------------------------------------------------------------------------------------------------


class Deadlines:
    """The misconceptions of 4.1, by switches; with none of them, a right answer that keeps when each is due."""

    first_only = by_asking = for_good = at_the_timeout = fixed = unsorted = from_zero = False
    forgets = brings_back = only_heard = once_more = keeps_old = by_number = strict_alive = a_tuple = False

    def __init__(self, timeout_s):
        self.timeout_s = 1.0 if self.fixed else timeout_s
        self.due_s = {}
        self.asked, self.dead, self.reported = collections.Counter(), set(), set()

    def watch(self, node, now_s):
        if not self.only_heard and not (self.keeps_old and node in self.due_s):
            self.due_s[node] = now_s + self.timeout_s
        if self.from_zero:
            self.due_s[node] = self.timeout_s

    def heard(self, node, now_s):
        self.asked[node] = 0
        known = node in self.due_s and not self.first_only
        if known or self.brings_back or self.only_heard:
            self.due_s[node] = now_s + self.timeout_s

    def forget(self, node):
        self.due_s.pop(node, None)

    def silence_s(self, node, now_s):
        return now_s - (self.due_s[node] - self.timeout_s)

    def suspects(self, now_s):
        found = [
            n for n, due_s in self.due_s.items() if now_s > due_s or (self.at_the_timeout and now_s == due_s)
        ]
        if self.by_asking:
            self.asked.update(self.due_s.keys())
            found = [n for n in self.due_s if self.asked[n] > 1]
        if self.for_good:
            self.dead.update(found)
            found = list(self.dead)
        if self.once_more:
            found = [n for n in found if n not in self.reported]
            self.reported.update(found)
        if self.a_tuple:
            return tuple(sorted(found))
        if self.by_number:
            return sorted(found, key=lambda name: (len(name), name))
        return found if self.unsorted else sorted(found)

    def alive(self, now_s):
        if self.strict_alive:
            return sorted(n for n, due_s in self.due_s.items() if now_s < due_s)
        if self.forgets:
            return sorted(self.due_s)
        return sorted(n for n in self.due_s if n not in self.suspects(now_s))


class ByTheCalendar(Deadlines):
    def heard(self, node, now_s):
        super().heard(node, time.time())


class UpToSevenSeconds(Deadlines):
    """Fitted: in the runs that the check shows nobody is found dead later than that."""

    def suspects(self, now_s):
        return super().suspects(now_s) if not 7 < now_s < 100 else []


class Noted(Deadlines):
    """Right, as long as time does not run backwards: suspicions are noted, and taken back when a heartbeat comes."""

    def watch(self, node, now_s):
        super().watch(node, now_s)
        self.dead.discard(node)

    def heard(self, node, now_s):
        super().heard(node, now_s)
        self.dead.discard(node)

    def forget(self, node):
        super().forget(node)
        self.dead.discard(node)

    def suspects(self, now_s):
        self.dead.update(super().suspects(now_s))
        return sorted(self.dead)


class Silences:
    """Right: a list of pairs."""

    def __init__(self, timeout_s):
        self.timeout_s, self.pairs = timeout_s, []

    def watch(self, node, now_s):
        self.forget(node)
        self.pairs = sorted([*self.pairs, (node, now_s)])

    def heard(self, node, now_s):
        self.pairs = [(n, now_s if n == node else at_s) for n, at_s in self.pairs]

    def forget(self, node):
        self.pairs = [pair for pair in self.pairs if pair[0] != node]

    def silence_s(self, node, now_s):
        return now_s - dict(self.pairs)[node]

    def suspects(self, now_s):
        return [n for n, at_s in self.pairs if not now_s - at_s <= self.timeout_s]

    def alive(self, now_s):
        return [n for n, at_s in self.pairs if now_s - at_s <= self.timeout_s]


def deadlines(**switches):
    return type("MyDeadlines", (Deadlines,), switches)


# ---- 4.2 -------------------------------------------------------------------------------------------------


class Votes:
    """The misconceptions of 4.2, by switches; with none of them, a right answer that keeps one vote for each term."""

    reachable = twice = forgetful = termless = any_log = length_first = fresh_vote = half = anybody = False
    goes_back = strictly = no_note = not_again = late_ones = note_refused = never_lost = three = (
        keeps_vote
    ) = shared = False
    all_of_them = wrong_word = deaf = exactly = past_frees = old_news_frees = learns_late = past_again = False
    refusal_frees = as_text = as_number = next_only = a_strangers_no = remembers = says_nothing = False

    def __init__(self, members, promise=None):
        self.seen = {}
        self.members = list(members)
        self.state = {"term": 0, "voted_for": None}
        if promise is not None:
            self.state = promise if self.shared else dict(promise)
            if self.forgetful:
                self.state["voted_for"] = None
            if self.termless:
                self.state = {"term": 0, "voted_for": None}

    @property
    def term(self):
        return self.state["term"]

    @property
    def voted_for(self):
        return self.state["voted_for"]

    @property
    def promise(self):
        return self.state if self.shared else dict(self.state)

    def stand(self, name):
        self.state.update(term=self.state["term"] + 1, voted_for=name)

    def learn(self, term):
        higher = term > self.term and not (self.next_only and term > self.term + 1 and self.term)
        if self.next_only and not higher:
            return False
        if self.old_news_frees and term != self.term:
            self.state["voted_for"] = None
        if self.wrong_word:
            higher = term >= self.term
        if term > self.term or self.fresh_vote or self.goes_back:
            if not self.keeps_vote:
                self.state["voted_for"] = None
            self.state["term"] = term if self.goes_back else max(term, self.term)
        if self.says_nothing and not higher:
            return None
        return higher

    def fit(self, its_log, my_log):
        if self.any_log:
            return True
        if self.length_first:
            return its_log[::-1] >= my_log[::-1]
        if self.as_text:
            return str(its_log) >= str(my_log)
        if self.as_number:
            return its_log[0] * 1000 + its_log[1] >= my_log[0] * 1000 + my_log[1]
        if self.strictly:
            return its_log > my_log
        return its_log >= my_log

    def grant(self, candidate, term, *, its_log, my_log):
        if self.past_frees and term != self.term:
            self.state["voted_for"] = None
        if self.past_again and self.voted_for == candidate and term <= self.term:
            return True
        if self.learns_late and not self.fit(its_log, my_log):
            return False
        if term < self.term and not self.late_ones:
            return False
        if self.refusal_frees and self.voted_for == candidate and not self.fit(its_log, my_log):
            self.state["voted_for"] = None
        if not self.deaf:
            self.learn(term)
        if self.twice:
            free = True
        elif self.not_again:
            free = self.voted_for is None
        else:
            free = self.voted_for in (None, candidate)
        if free and self.note_refused:
            self.state["voted_for"] = candidate
        if not free or not self.fit(its_log, my_log):
            return False
        if not self.no_note:
            self.state["voted_for"] = candidate
        return True

    def count(self, votes):
        self.seen.update(votes)
        votes = dict(self.seen) if self.remembers else votes
        said = collections.Counter(
            votes.values() if self.anybody else [v for m, v in votes.items() if m in self.members]
        )
        if self.a_strangers_no:
            said[False] = list(votes.values()).count(False)
        size = 3 if self.three else len(votes) if self.reachable else len(self.members)
        if self.exactly and said[True] > len(self.members) // 2 + 1:
            return "pending"
        if (said[True] * 2 >= size if self.half else said[True] * 2 > size) and said[True]:
            return "won"
        if self.never_lost:
            return "pending"
        if self.all_of_them:
            return "lost" if said[False] > said[True] else "pending"
        return "lost" if (size - said[False]) * 2 <= size else "pending"


class ByHand:
    """Right: plain attributes, and comparisons spelled out."""

    def __init__(self, members, promise=None):
        self.quorum = len(members) // 2 + 1
        self.members = frozenset(members)
        promise = promise or {"term": 0, "voted_for": None}
        self.term, self.voted_for = promise["term"], promise["voted_for"]

    promise = property(lambda self: {"term": self.term, "voted_for": self.voted_for})

    def stand(self, name):
        self.learn(self.term + 1)
        self.voted_for = name

    def learn(self, term):
        if term <= self.term:
            return False
        self.term, self.voted_for = term, None
        return True

    def grant(self, candidate, term, *, its_log, my_log):
        self.learn(term)
        newer = its_log[0] > my_log[0]
        as_new = its_log[0] == my_log[0] and its_log[1] >= my_log[1]
        if term == self.term and self.voted_for in (None, candidate) and (newer or as_new):
            self.voted_for = candidate
        return term == self.term and self.voted_for == candidate and (newer or as_new)

    def count(self, votes):
        yes = sum(votes.get(m, False) for m in self.members)
        silent = len(self.members - votes.keys())
        return "won" if yes >= self.quorum else "pending" if yes + silent >= self.quorum else "lost"


def votes(**switches):
    return type("MyVotes", (Votes,), switches)


# ---- 4.3 -------------------------------------------------------------------------------------------------


class Shelf:
    """The misconceptions of 4.3, by switches; with none of them, a right answer with tokens and values apart."""

    open_door = after = lowers = strict = one_for_all = in_memory = token_in_memory = racing = as_text = (
        first_only
    ) = False
    values_first = swallows = checked_by_client = invisible = no_text = swapped = zero_is_none = only_true = (
        disk_first
    ) = silent = returns_it = by_one = true_fenced = none_unfenced = False

    def __init__(self, disk=None):
        self.disk = disk or MemoryDisk()
        self.tokens, self.values = {}, {}
        self.loaded = False
        self.turn = asyncio.Lock()

    async def load(self):
        if not self.loaded:
            for record in await self.disk.read("shelf"):
                self.values[record["key"]] = record["value"]
                if "token" in record:
                    self.tokens[record["key"]] = max(record["token"], self.tokens.get(record["key"], 0))
            self.loaded = True

    async def highest(self, key):
        """What a client may ask, to check its token before it writes."""
        return self.tokens.get(key)

    async def write(self, key, value, token):
        if self.racing:
            return await self.put(key, value, token)
        async with self.turn:
            return await self.put(key, value, token)

    async def put(self, key, value, token):
        await self.load()
        resource = "all" if self.one_for_all else key
        highest = self.tokens.get(resource, token)
        if self.after:
            self.values[key] = value
        if self.lowers:
            self.tokens[resource] = token
        low = str(token) < str(highest) if self.as_text else token < highest
        if self.strict and resource in self.tokens:
            low = token <= highest
        if self.by_one:
            low = token < highest - 1
        if self.true_fenced:
            low = self.values.get(key) and low
        if self.none_unfenced:
            low = self.values.get(key) is not None and low
        record = {"key": key, "value": value, "token": token}
        if self.disk_first:
            await self.disk.append("shelf", record)
        if low and not self.open_door and not self.checked_by_client:
            given = (highest, token) if self.swapped else (token, highest)
            stale = StaleToken(f"{token} is stale", token=given[0], highest=given[1])
            if self.silent or self.returns_it:
                return stale if self.returns_it else None
            raise stale
        if self.zero_is_none and not token:
            raise StaleToken("no token", token=0, highest=1)
        if self.values_first:
            self.values[key] = value
        if self.token_in_memory:
            del record["token"]
        if not self.in_memory and not self.disk_first and not (self.no_text and isinstance(value, str)):
            try:
                await self.disk.append("shelf", record)
            except OSError:
                if not self.swallows:
                    raise
                return None
        if not self.invisible:
            self.values[key] = value
        if not (self.first_only and resource in self.tokens):
            self.tokens[resource] = token
        return None

    async def read(self, key):
        await self.load()
        return self.values.get(key) or None if self.only_true else self.values.get(key)


class Together(Shelf):
    """One shelf for all stores of a process."""

    tokens, values = {}, {}

    def __init__(self, disk=None):
        self.disk, self.turn = disk or MemoryDisk(), asyncio.Lock()
        self.loaded = False


class Raises(Shelf):
    async def write(self, key, value, token):
        try:
            await super().write(key, value, token)
        except StaleToken:
            raise ValueError("too old") from None


class Journal:
    """Right: keeps nothing in memory, and asks the disk each time."""

    def __init__(self, disk=None):
        self.disk, self.gate = disk or MemoryDisk(), asyncio.Semaphore(1)

    async def last(self, key):
        records = [r for r in await self.disk.read("journal") if r["key"] == key]
        return max(records, key=lambda r: r["token"])["token"] if records else 0, records

    async def write(self, key, value, token):
        async with self.gate:
            highest, _ = await self.last(key)
            if highest > token:
                raise StaleToken("too late", token=token, highest=highest)
            await self.disk.append("journal", {"key": key, "value": value, "token": token})

    async def read(self, key):
        _, records = await self.last(key)
        return records[-1]["value"] if records else None


def shelf(**switches):
    return type("MyShelf", (Shelf,), switches)


# ---- 4.4 -------------------------------------------------------------------------------------------------


def downwards(matched, members, term_of, *, term, committed):
    """Right: tries each index from the highest down."""
    held = [matched.get(m, 0) for m in members]
    for index in range(max(held, default=0), committed, -1):
        if sum(h >= index for h in held) * 2 > len(members) and term_of(index) == term:
            return index
    return committed


def middle(matched, members, term_of, *, term, committed):
    """Right: terms never fall within a log, so the middle one decides."""
    held = sorted(matched.get(m, 0) for m in members)
    index = held[(len(held) - 1) // 2]
    return index if index > committed and term_of(index) == term else committed


def of_those_reached(matched, members, term_of, *, term, committed):
    return middle(matched, list(matched), term_of, term=term, committed=committed)


def of_any_term(matched, members, term_of, *, term, committed):
    return max(committed, sorted(matched.get(m, 0) for m in members)[(len(members) - 1) // 2])


def the_leaders_own(matched, members, term_of, *, term, committed):
    return max(committed, max(matched.values(), default=0))


def all_of_them(matched, members, term_of, *, term, committed):
    return max(committed, min(matched.get(m, 0) for m in members))


def half_of_them(matched, members, term_of, *, term, committed):
    held = sorted(matched.get(m, 0) for m in members)
    index = held[len(held) // 2]
    return index if index > committed and term_of(index) == term else committed


def asks_of_the_committed(matched, members, term_of, *, term, committed):
    index = sorted(matched.get(m, 0) for m in members)[(len(members) - 1) // 2]
    return index if index >= max(committed, 1) and term_of(index) == term else committed


def goes_back(matched, members, term_of, *, term, committed):
    index = sorted(matched.get(m, 0) for m in members)[(len(members) - 1) // 2]
    return index if index and term_of(index) == term else min(index, committed)


def stops_at_the_old(matched, members, term_of, *, term, committed):
    held = [matched.get(m, 0) for m in members]
    index = committed
    while sum(h > index for h in held) * 2 > len(members) and term_of(index + 1) == term:
        index += 1
    return index


def three_of_them(matched, members, term_of, *, term, committed):
    held = [matched.get(m, 0) for m in members]
    found = [
        i
        for i in range(committed + 1, max(held) + 1)
        if sum(h >= i for h in held) >= 2 and term_of(i) == term
    ]
    return max(found, default=committed)


def from_the_beginning(matched, members, term_of, *, term, committed):
    held = [matched.get(m, 0) for m in members]
    found = [
        i
        for i in range(1, max(held) + 1)
        if term_of(i) == term and sum(h >= i for h in held) * 2 > len(members)
    ]
    return max([*found, committed])


def whoever_answers(matched, members, term_of, *, term, committed):
    held = list(matched.values())
    found = [
        i
        for i in range(committed + 1, max(held) + 1)
        if sum(h >= i for h in held) * 2 > len(members) and term_of(i) == term
    ]
    return max(found, default=committed)


def spoils(matched, members, term_of, *, term, committed):
    members.reverse()
    for member in members:
        matched.setdefault(member, 0)
    members.sort(reverse=True)
    return downwards(matched, members, term_of, term=term, committed=committed)


def fills_in(matched, members, term_of, *, term, committed):
    for member in members:
        matched.setdefault(member, 0)
    return downwards(matched, members, term_of, term=term, committed=committed)


def asks_of_zero(matched, members, term_of, *, term, committed):
    index = sorted(matched.get(m, 0) for m in members)[(len(members) - 1) // 2]
    return index if term_of(index) == term and index > committed else committed


def says_nothing(matched, members, term_of, *, term, committed):
    downwards(matched, members, term_of, term=term, committed=committed)


def gives_up(matched, members, term_of, *, term, committed):
    if len(members) == 7:
        raise IndexError("list index out of range")
    return downwards(matched, members, term_of, term=term, committed=committed)


# ---- 4.5 -------------------------------------------------------------------------------------------------


def by_takes(owners, nodes):
    """Right: one move at a time, from who has most to who has least."""
    made = {item: owners[item] if owners[item] in nodes else None for item in sorted(owners)}
    has = {node: [item for item, owner in made.items() if owner == node] for node in sorted(nodes)}
    for item in [item for item, owner in made.items() if owner is None]:
        has[min(has, key=lambda node: len(has[node]))].append(item)
    while True:
        most = max(has, key=lambda node: len(has[node]))
        least = min(has, key=lambda node: len(has[node]))
        if len(has[most]) - len(has[least]) <= 1:
            return {item: node for node, items in has.items() for item in items}
        has[least].append(has[most].pop())


def by_shares(owners, nodes):
    """Right: the shares first; who has most gets the larger ones."""
    nodes = sorted(nodes)
    has = collections.Counter(owner for owner in owners.values() if owner in nodes)
    room = {}
    for place, node in enumerate(sorted(nodes, key=lambda n: -has[n])):
        room[node] = len(owners) // len(nodes) + (place < len(owners) % len(nodes))
    made = {}
    for item in sorted(owners):
        if room.get(owners[item]):
            made[item] = owners[item]
            room[owners[item]] -= 1
    free = iter([node for node in nodes for _ in range(room[node])])
    for item in sorted(owners):
        if item not in made:
            made[item] = next(free)
    return made


def to_the_neighbour(owners, nodes):
    made = {}
    for item, owner in sorted(owners.items()):
        later = [n for n in sorted(nodes) if owner is not None and n >= owner]
        made[item] = owner if owner in nodes else (later or sorted(nodes))[0]
    return made


def dealt_anew(owners, nodes):
    return {item: sorted(nodes)[place % len(nodes)] for place, item in enumerate(sorted(owners))}


def only_orphans(owners, nodes):
    made = {item: owner for item, owner in sorted(owners.items()) if owner in nodes}
    for item in sorted(owners):
        if item not in made:
            load = collections.Counter(made.values())
            made[item] = min(sorted(nodes), key=lambda node: load[node])
    return made


def larger_shares_by_name(owners, nodes):
    nodes = sorted(nodes)
    room = {
        n: len(owners) // len(nodes) + (place < len(owners) % len(nodes)) for place, n in enumerate(nodes)
    }
    made = {}
    for item in sorted(owners):
        if room.get(owners[item]):
            made[item] = owners[item]
            room[owners[item]] -= 1
    for item in sorted(owners):
        if item not in made:
            made[item] = next(n for n in nodes if room[n])
            room[made[item]] -= 1
    return made


def leaves_the_dead(owners, nodes):
    return {item: owner if owner else sorted(nodes)[0] for item, owner in owners.items()}


def leaves_out_the_new(owners, nodes):
    return by_takes({item: owner for item, owner in owners.items() if owner}, nodes)


def in_place(owners, nodes):
    owners.update(by_takes(owners, nodes))
    return owners


def sorts_in_place(owners, nodes):
    nodes.sort()
    return by_takes(owners, nodes)


def as_they_come(owners, nodes):
    made = {item: owner for item, owner in owners.items() if owner in nodes}
    has = {node: [item for item, owner in made.items() if owner == node] for node in nodes}
    for item in owners:
        if item not in made:
            has[min(has, key=lambda node: len(has[node]))].append(item)
    while True:
        most, least = max(has, key=lambda n: len(has[n])), min(has, key=lambda n: len(has[n]))
        if len(has[most]) - len(has[least]) <= 1:
            return {item: node for node, items in has.items() for item in items}
        has[least].append(has[most].pop())


def by_chance(owners, nodes):
    shuffled = sorted(nodes)
    random_module.shuffle(shuffled)
    return as_they_come(owners, shuffled)


def surplus_as_it_comes(owners, nodes):
    made = by_shares(owners, nodes)
    room = collections.Counter(made[item] for item in owners if made[item] == owners[item])
    stay = {}
    for item in owners:  # in the order of the table
        if room[owners[item]] > 0:
            stay[item] = owners[item]
            room[owners[item]] -= 1
    free = iter(sorted(made[item] for item in owners if made[item] != owners[item]))
    return stay | {item: next(free) for item in sorted(owners) if item not in stay}


def in_the_order_of_a_set(owners, nodes):
    return surplus_as_it_comes({item: owners[item] for item in set(owners)}, nodes)


def by_hash(owners, nodes):
    return surplus_as_it_comes({item: owners[item] for item in sorted(owners, key=hash)}, nodes)


def needs_an_item(owners, nodes):
    assert next(iter(owners)) or True
    return by_shares(owners, nodes)


# ---- 4.7 -------------------------------------------------------------------------------------------------


class Running:
    """The misconceptions of 4.7, by switches; with none of them, a right answer with lists that are cut."""

    records_outage = natural = ignores_heartbeat = below = no_first = no_window = hoards = shared = fixed = (
        False
    )
    never_learns = unsorted = brings_back = stays = above = clears = fills = one_less = no_zero = by_exp = (
        False
    )

    def __init__(self, threshold=8.0, *, window=1000, longest_s=2.0, first_interval_s=1.0):
        self.threshold, self.window = 8.0 if self.fixed else threshold, window
        self.longest_s, self.first_interval_s = longest_s, first_interval_s
        self.last, self.lists, self.dead = {}, {}, set()

    def key(self, node):
        return "all" if self.shared else node

    def watch(self, node, now_s):
        self.last[node] = now_s
        self.lists[self.key(node)] = [self.first_interval_s]

    def heard(self, node, now_s):
        if node not in self.last:
            if self.brings_back:
                self.watch(node, now_s)
            return
        interval_s, kept = now_s - self.last[node], self.lists[self.key(node)]
        outage = interval_s >= self.longest_s if self.below else interval_s > self.longest_s
        if self.never_learns:
            outage = outage or interval_s > 2 * self.first_interval_s
        if outage and self.ignores_heartbeat:
            return
        self.last[node] = now_s
        if outage and self.clears:
            kept[:] = [self.first_interval_s]
        if outage and self.fills:
            kept.append(self.first_interval_s)
        if (not outage or self.records_outage) and (interval_s or not self.no_zero):
            kept.append(interval_s)
        if self.no_first and len(kept) == 2:
            del kept[0]
        if not self.no_window and not self.hoards:
            del kept[: -self.window + self.one_less]

    def forget(self, node):
        self.last.pop(node, None)
        self.lists.pop(node, None)

    def silence_s(self, node, now_s):
        return now_s - self.last[node]

    def level(self, node, now_s):
        kept = self.lists[self.key(node)]
        if self.hoards:
            kept = kept[-self.window :]
        phi = (now_s - self.last[node]) * len(kept) / sum(kept)
        if self.by_exp:
            return -math.log10(math.exp(-phi))
        return phi if self.natural else phi * math.log10(math.e)

    def suspects(self, now_s):
        found = [n for n in self.last if self.level(n, now_s) >= self.threshold * (1 + 1e-9 * self.above)]
        if self.stays:
            self.dead.update(found)
            found = list(self.dead)
        return found if self.unsorted else sorted(found)

    def alive(self, now_s):
        return sorted(set(self.last) - set(self.suspects(now_s)))


class ByTheMachinesClock(Running):
    def silence_s(self, node, now_s):
        return time.monotonic() - self.last[node]

    def level(self, node, now_s):
        return super().level(node, time.monotonic())


class Sums(Running):
    """Right: a deque, and its sum kept with it."""

    def watch(self, node, now_s):
        self.last[node] = now_s
        self.lists[node] = [
            collections.deque([self.first_interval_s], maxlen=self.window),
            self.first_interval_s,
        ]

    def heard(self, node, now_s):
        if node in self.last:
            interval_s, self.last[node] = now_s - self.last[node], now_s
            if interval_s <= self.longest_s:
                self.lists[node][0].append(interval_s)
                self.lists[node][1] = math.fsum(self.lists[node][0])

    def level(self, node, now_s):
        kept, total = self.lists[node]
        return self.silence_s(node, now_s) / (total / len(kept)) / math.log(10)


def running(**switches):
    return type("MyRunning", (Running,), switches)


# ---- 4.6 -------------------------------------------------------------------------------------------------

RULE = "at most one leader a term"


def by_messages():
    """Right: counts the votes of each member and term, its own first."""
    run = mystery()
    given = set()
    for number, record in enumerate(run.history):
        body = record.get("body", {})
        if (
            record.kind == "sent"
            and body.get("type") in ("vote request", "vote")
            and body.get("granted", True)
        ):
            vote = (
                record.node,
                body["term"],
                record.node if body["type"] == "vote request" else record.data["to"],
            )
            if any(known[:2] == vote[:2] and known != vote for known in given):
                return RULE, number, 17
            given.add(vote)
    return None


def by_the_disk():
    """Right: looks for the ballot that was overwritten, and names the message after it."""
    run = mystery()
    known = {}
    for number, record in enumerate(run.history):
        if record.kind == "replaced" and record.data["file"] == "ballot":
            (promise,) = record.data["records"]
            voted = known.setdefault((record.node, promise["term"]), promise["voted_for"])
            if voted not in (None, promise["voted_for"]):
                return RULE, number + 1, 20
    return None


def instead(rule=RULE, line=20, **found):
    """A diagnosis that names the first record of this kind, node and type, of the term with two leaders."""

    def diagnose():
        history, kind = mystery().history, found["kind"]
        of_type = [n for n, r in enumerate(history) if r.kind == kind and r.t_s > 1.8
                   and found.get("type") in (None, r.get("body", {}).get("type"))]  # fmt: skip
        return rule, of_type[0], line

    return diagnose


def with_line(line):
    return lambda: (*by_messages()[:2], line)


def an_honest_vote():
    """The message before it that gives a vote, in the same term: nobody votes twice by it."""
    _, found, line = by_messages()
    history = mystery().history
    votes = [n for n, r in enumerate(history) if r.kind == "sent" and r.get("body", {}).get("type") == "vote"
             and r.data["body"]["granted"] and n < found]  # fmt: skip
    return RULE, votes[-1], line


RIGHT = {
    "4.1": Deadlines,
    "4.2": Votes,
    "4.3": Shelf,
    "4.4": downwards,
    "4.5": by_takes,
    "4.6": by_messages,
    "4.7": Running,
}
ALSO_RIGHT = {
    "4.1": Silences,
    "4.2": ByHand,
    "4.3": Journal,
    "4.4": middle,
    "4.5": by_shares,
    "4.6": by_the_disk,
    "4.7": Sums,
}

FITTED = {"4.1": UpToSevenSeconds}

MISCONCEPTIONS = {
    "4.1": [
        ("One missed heartbeat is no death", deadlines(by_asking=True)),
        ("A heartbeat begins the silence anew", deadlines(first_only=True)),
        ("not yet *more than*", deadlines(at_the_timeout=True)),
        ("no death certificate", deadlines(for_good=True)),
        ("Compare with self.timeout_s", deadlines(fixed=True)),
        ("not since the clock began", deadlines(from_zero=True)),
        ("in the order of the alphabet", deadlines(unsorted=True)),
        ("has never sent anything is silent too", deadlines(only_heard=True)),
        ("It forgets whom it suspects", deadlines(once_more=True)),
        ("brings back a node that was forgotten", deadlines(brings_back=True)),
        ("alive is everybody", deadlines(forgets=True)),
        ("It reads a clock of its own", ByTheCalendar),
        ("wants it judged from now on", deadlines(keeps_old=True)),
        ("'n-10' stands before 'n-9'", deadlines(by_number=True)),
        ("and so alive", deadlines(strict_alive=True)),
        ("A tuple came back, where a list is asked for", deadlines(a_tuple=True)),
    ],
    "4.2": [
        ("a majority of the votes that came in", votes(reachable=True)),
        ("Look at self.voted_for first", votes(twice=True)),
        ("The vote is forgotten at the restart", votes(forgetful=True)),
        ("The term is forgotten at the restart", votes(termless=True)),
        ("A stale log wins", votes(any_log=True)),
        ("lengths before their last terms", votes(length_first=True)),
        ("can then vote a second time", votes(fresh_vote=True)),
        ("in a new one it is free again", votes(keeps_vote=True)),
        ("Half is no majority", votes(half=True)),
        ("Only members count", votes(anybody=True)),
        ("A term never goes back", votes(goes_back=True)),
        ("as good as its own", votes(strictly=True)),
        ("Who grants a vote notes it", votes(no_note=True)),
        ("so the answer is the same", votes(not_again=True)),
        ("A candidate of an older term", votes(late_ones=True)),
        ("note self.voted_for only when you grant it", votes(note_refused=True)),
        ("cannot be reached any more", votes(never_lost=True)),
        ("may vote either way", votes(all_of_them=True)),
        ("Required: An election is", votes(three=True)),
        ("a promise of its own", votes(shared=True)),
        ("own term is no higher", votes(wrong_word=True)),
        ("learn it, and then decide", votes(deaf=True)),
        ("More than a majority", votes(exactly=True)),
        ("A request of a past term", votes(past_frees=True)),
        ("News of an older term", votes(old_news_frees=True)),
        ("is learnt all the same", votes(learns_late=True)),
        ("but in another term", votes(past_again=True)),
        ("A refusal frees the vote", votes(refusal_frees=True)),
        ("It makes one number or one text", votes(as_text=True)),
        ("outweighs a term", votes(as_number=True)),
        ("higher by more than one", votes(next_only=True)),
        ("Nor does the refusal of somebody count", votes(a_strangers_no=True)),
        ("remembers none of an earlier election", votes(remembers=True)),
        ("Nothing came back", votes(says_nothing=True)),
    ],
    "4.3": [
        ("It lets everybody write", shelf(open_door=True)),
        ("nor does a check by the client", shelf(checked_by_client=True)),
        ("It writes first, and refuses afterwards", shelf(after=True)),
        ("A refused write lowers", shelf(lowers=True)),
        ("An equal token passes", shelf(strict=True)),
        ("each key is a resource of its own", shelf(one_for_all=True)),
        ("gone after a restart", shelf(in_memory=True)),
        ("it has forgotten that it has seen 34", shelf(token_in_memory=True)),
        ("Between the check and the record", shelf(racing=True)),
        ("Tokens are numbers", shelf(as_text=True)),
        ("and not the first", shelf(first_only=True)),
        ("First the disk, then self.entries", shelf(values_first=True)),
        ("Let the OSError pass", shelf(swallows=True)),
        ("into self.entries too", shelf(invisible=True)),
        ("a text is to survive", shelf(no_text=True)),
        ("its own token, and then the highest", shelf(swapped=True)),
        ("0 is a token like any other", shelf(zero_is_none=True)),
        ("0 and None are values", shelf(only_true=True)),
        ("Two stores share their entries", Together),
        ("StaleToken is what the caller looks for", Raises),
        ("Compare first, then append", shelf(disk_first=True)),
        ("It refuses, and tells nobody", shelf(silent=True)),
        ("the writer takes its value for written", shelf(returns_it=True)),
        ("lower by 1 too", shelf(by_one=True)),
        ("A stored 0 is not fenced", shelf(true_fenced=True)),
        ("A stored None is not fenced", shelf(none_unfenced=True)),
    ],
    "4.4": [
        ("those that are silent count", of_those_reached),
        ("It counts an entry of an old term", of_any_term),
        ("The leader alone is no quorum", the_leaders_own),
        ("not all need to hold it", all_of_them),
        ("Half is no quorum", half_of_them),
        ("It goes back behind", goes_back),
        ("Do not stop at the first", stops_at_the_old),
        ("Two of five are no quorum", three_of_them),
        ("ask term_of only about later ones", from_the_beginning),
        ("Required: Only members count towards the quorum", whoever_answers),
        ("about what is committed already", asks_of_the_committed),
        ("work on a copy", spoils),
        ("as sorted(...) makes one, and ask", fills_in),
        ("never about 0, which is no entry", asks_of_zero),
        ("Nothing came back", says_nothing),
        ("IndexError: list index out of range", gives_up),
    ],
    "4.5": [
        ("All the load goes to one neighbour", to_the_neighbour),
        ("It deals all items anew", dealt_anew),
        ("gets no share", only_orphans),
        ("let it be those that have one more already", larger_shares_by_name),
        ("The dead node keeps its work", leaves_the_dead),
        ("An item without an owner", leaves_out_the_new),
        ("make one of your own", in_place),
        ("nodes was changed by the call", sorts_in_place),
        ("with the items in another order", as_they_come),
        ("No chance, and no order", by_chance),
        ("Then whoever repeats the decision", surplus_as_it_comes),
        ("It goes by the order of a set", in_the_order_of_a_set),
        ("or by hash()", by_hash),
        ("StopIteration", needs_an_item),
    ],
    "4.6": [
        ("read the verdicts", instead("a register is linearizable", kind="transition")),
        (
            "the earliest is nearest to the cause",
            instead("all replicas apply the same prefix", kind="transition"),
        ),
        ("There is no rule of the name 'one leader a term'", instead("one leader a term", kind="transition")),
        ("Which message should not have been sent", instead(kind="transition")),
        ("A pre-vote promises nothing", instead(kind="sent", type="pre-vote")),
        ("has given its own to itself", instead(kind="sent", type="vote request")),
        ("Name the message itself", instead(kind="delivered")),
        ("which line lets go of it", with_line(25)),
        ("One of the two, or both, are not it", an_honest_vote),
    ],
    "4.7": [
        ("The outage is recorded in the history", running(records_outage=True)),
        ("phi counts powers of *ten*", running(natural=True)),
        ("Only its interval is left out", running(ignores_heartbeat=True)),
        ("not *above* it", running(below=True)),
        ("the first estimate among them", running(no_first=True)),
        ("Only the last `window`", running(no_window=True)),
        ("deque(maxlen=window)", running(hoards=True)),
        ("a history of its own", running(shared=True)),
        ("Compare with self.threshold", running(fixed=True)),
        ("A slow heartbeat is no outage", running(never_learns=True)),
        ("In the order of the alphabet", running(unsorted=True)),
        ("not watched changes nothing", running(brings_back=True)),
        ("A suspicion ends with the next heartbeat", running(stays=True)),
        ("*reaches* the threshold", running(above=True)),
        ("It reads a clock of its own", ByTheMachinesClock),
        ("The outage clears the history", running(clears=True)),
        ("The outage enters as first_interval_s", running(fills=True)),
        ("one of them is missing here", running(one_less=True)),
        ("an interval of 0 s is one, too", running(no_zero=True)),
        ("which has no logarithm", running(by_exp=True)),
    ],
}

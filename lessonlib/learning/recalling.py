"""Which three questions a lesson begins with: the rule, apart from how they are shown.

Recall is spaced: a lesson asks about the last one, the one before that, and one half of the way back, so that each lesson
is asked about soon, and again at growing distances. The rule knows no chance, so everyone is asked the same and a
notebook's output never changes:

- lesson n asks about lessons n−1, n−2 and (n−3)//2;
- of the lesson at distance d it asks question d of its bank (counted from 1, and round again after the last);
- where such a lesson does not exist or has no questions, the nearest earlier lesson that has some gives one more,
  counted from the end of its bank; none is asked twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from lessonlib.learning.questions import Concept

RECALLED = 3


def choose(number: int, banks: Mapping[int, tuple[Concept, ...]]) -> list[tuple[int, Concept]]:
    """Return up to three (lesson's number, question) for lesson `number`, given the banks of all lessons.

    Fewer than three only where the earlier lessons have fewer between them.
    """
    earlier = {n: bank for n, bank in banks.items() if n < number and bank}
    chosen: list[tuple[int, int]] = []  # lesson's number, index into its bank
    for source in (number - 1, number - 2, (number - 3) // 2):
        if source in earlier:
            index = (number - source - 1) % len(earlier[source])
            if (source, index) not in chosen:
                chosen.append((source, index))
    spare = [(n, i) for n in sorted(earlier, reverse=True) for i in reversed(range(len(earlier[n])))]
    chosen += [pick for pick in spare if pick not in chosen][: RECALLED - len(chosen)]
    return [(n, earlier[n][index]) for n, index in chosen]

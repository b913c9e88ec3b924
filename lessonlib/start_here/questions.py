"""What lesson 0 asks: its diagnostic, its predictions and concept checks, and what later lessons ask again."""

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "0-1": Prediction(
        "Ann and Ben each greet, take an order, wait 1 s for the card machine, and hand over the goods. What is printed?",
        [
            Option(
                "all three lines of Ann, then all three of Ben",
                "That would be so if `gather` ran one after the other. It starts both, and while Ann waits for the card "
                "machine, the event loop runs Ben.",
            ),
            Option(
                "Ann and Ben take turns, line by line",
                "That is how threads may behave. A coroutine gives way only where it waits, at the `await`; between two "
                "`print`s nobody gets in.",
            ),
            Option(
                "Ann's first two lines, Ben's first two, then Ann's last, then Ben's last",
                "Each runs on until it really waits, at the `sleep`. Then the other one has its turn.",
                right=True,
            ),
        ],
    ),
    "0-2": Prediction(
        "The price stands in a dictionary: `await price()` waits for nothing. Ben's task has been made, but has not run yet. "
        "When does Ben greet?",
        [
            Option(
                "before the first price is printed: `create_task` starts him at once",
                "`create_task` only puts the task on the event loop's list. Whoever made it goes on.",
            ),
            Option(
                "between the first and the second price: an `await` lets others in",
                "An `await` lets others in only if what is awaited really waits. This one runs through, like a call.",
            ),
            Option(
                "after both prices, at the `sleep`",
                "It is the first place where the shop really waits. To `await` something that does not wait is no "
                "different from a call.",
                right=True,
            ),
        ],
    ),
    "0-3": Prediction(
        "The receipt fails at once. The shop made a task for it and never awaits it. What does the shop see?",
        [
            Option(
                "the sale fails with ConnectionError, at `create_task`",
                "At that line the task has not even begun. Its exception stays in the task until somebody awaits it.",
            ),
            Option(
                "the sale fails with ConnectionError, at the `sleep`",
                "The task fails while the shop sleeps, but in the task. An exception goes to whoever awaits, not to whoever "
                "happens to wait.",
            ),
            Option(
                "nothing: the sale is done",
                "The exception stays in the task, and nobody looks. asyncio may write a line to the log when the task is "
                "thrown away; the laboratory makes it an error of the run, so that you hear of it.",
                right=True,
            ),
        ],
    ),
    "0-4": Prediction(
        "Stock and bank are asked together, with `gather`. The bank refuses after 1 s, the stock would need 2 s. What becomes "
        "of the stock's coroutine?",
        [
            Option(
                "it is cancelled when the bank refuses",
                "That is what a TaskGroup does. `gather` passes the first exception on and leaves the others alone.",
            ),
            Option(
                "it runs on, and the stock is taken although the sale has failed",
                "`gather` raises at 1 s, and at 2 s the stock is taken all the same. Nobody is left to put it back.",
                right=True,
            ),
            Option(
                "`gather` waits for it, then raises",
                "`gather` raises as soon as the first one fails. Whatever still runs, runs on unwatched.",
            ),
        ],
    ),
    "0-5": Prediction(
        "The task is cancelled after 1 s, in the middle of its `sleep`. Which lines does it still print?",
        [
            Option(
                "none: a cancelled task just stops",
                "It is not stopped from outside. It gets an exception, CancelledError, at the `await` where it stands, and "
                "may still do something about it.",
            ),
            Option(
                "'something failed', then 'drawer closed'",
                "CancelledError is not a subclass of Exception (it derives from BaseException), so that `except Exception` "
                "does not catch it by accident.",
            ),
            Option(
                "'drawer closed' only",
                "CancelledError passes `except Exception` and runs `finally` on its way out.",
                right=True,
            ),
        ],
    ),
    "0-6": Prediction(
        "The bank is asked to charge 3 €. It charges at once, but its answer takes 2 s. The shop waits for 1 s. Is the customer "
        "charged?",
        [
            Option(
                "no: the call was given up, so it did not happen",
                "Only the waiting was given up. The bank knows nothing of it and had charged already.",
            ),
            Option(
                "yes",
                "The time-out ends your waiting, not what goes on at the other side.",
                right=True,
            ),
            Option(
                "no: the bank notices the time-out and takes it back",
                "Nobody tells the bank. A time-out is something that happens to you alone.",
            ),
        ],
    ),
    "0-7": Prediction(
        "From 1 s to 1.2 s, the store's answers to till-2 take 150 ms longer. Nothing fails and no message is lost. What becomes "
        "of the counter?",
        [
            Option(
                "nothing: till-2 takes longer, that is all",
                "It would be so if till-2 were alone. While it waits for its answer, another till reads the same number.",
            ),
            Option(
                "one sale is lost, and both calls say that all went well",
                "Two tills read the same number, both add one, both write the same. Neither can notice.",
                right=True,
            ),
            Option(
                "one of the two calls fails with an error",
                "Nobody has broken a promise that anybody checks: each write succeeds. The loss is silent.",
            ),
        ],
    ),
    "0-8": Prediction(
        "The same line, with the same seed, runs three times. How much of the three histories is equal?",
        [
            Option(
                "the rules that break, but not the times to the microsecond",
                "Time is virtual, so a busy machine or a slow one makes no difference to it.",
            ),
            Option(
                "everything except the store's random delays",
                "Those are drawn from the seed too. The same seed draws the same delays.",
            ),
            Option(
                "everything, to the last byte",
                "Time is virtual, chance comes from the seed, and ties are settled by a fixed order. Nothing else is left "
                "that could differ.",
                right=True,
            ),
        ],
    ),
    "0-9": Prediction(
        "A hundred days like this, each with a seed of its own. On how many of them does the counter lose a sale?",
        [
            Option(
                "on none: without a fault there is nothing to go wrong",
                "A fault only made it likely. What it takes is a read between another's read and write, and with many "
                "customers that happens by itself.",
            ),
            Option(
                "on some, and which ones cannot be told beforehand",
                "It hangs on the store's delays: when two customers happen to meet, a sale is lost.",
                right=True,
            ),
            Option(
                "on all: forty a second are too many",
                "A call of `add` takes about 22 ms and customers come every 25 ms, so mostly they just miss each other.",
            ),
        ],
    ),
}

CONCEPTS = {
    # The diagnostic: each answer says which section may be skipped.
    "0-1": Choice(
        "A coroutine of yours runs. At which places can another task change a variable that you both use?",
        [
            Option(
                "between any two lines, as threads may: the event loop shares the time out among the tasks",
                "That is so with threads. Tasks of one event loop take turns, and only at certain places. Do read 1.1.",
            ),
            Option(
                "only at an `await` that really waits (and at `async for` and `async with`)",
                "You may skip 1.1.",
                right=True,
            ),
            Option(
                "nowhere: asyncio runs in a single thread, so one task after the other comes to its end",
                "Then it could not wait for two things at once. Do read 1.1.",
            ),
        ],
    ),
    "0-2": Choice(
        "A task is made with `asyncio.create_task(...)` and fails. Nobody awaits it. What happens?",
        [
            Option(
                "the exception is raised in whoever made the task",
                "It is raised in whoever awaits it. Do read 1.2.",
            ),
            Option("the program ends", "It goes on as if nothing had been. Do read 1.2."),
            Option("nothing, apart from a line in the log one day", "You may skip 1.2.", right=True),
        ],
    ),
    "0-3": Choice(
        "Three coroutines run in an `asyncio.TaskGroup`. One of them raises. What becomes of the other two?",
        [
            Option(
                "they run on to their end; then the group raises the error of the one",
                "A TaskGroup does not leave them alone. Do read 1.3.",
            ),
            Option(
                "they are cancelled, and the group waits until they have ended",
                "You may skip 1.3.",
                right=True,
            ),
            Option(
                "they are paused until somebody has dealt with the error",
                "There is no such thing in asyncio. Do read 1.3.",
            ),
        ],
    ),
    "0-4": Choice(
        "`task.cancel()` is called. What does the task notice?",
        [
            Option(
                "nothing: it is not run any more",
                "Then it could not give back what it holds: files, locks. It does run once more. Do read 1.4.",
            ),
            Option(
                "at the `await` where it stands, CancelledError is raised; its `finally` blocks run",
                "You may skip 1.4.",
                right=True,
            ),
            Option(
                "like any error: `except Exception` catches it where the task stands, and then the task goes on",
                "CancelledError is not a subclass of Exception. Do read 1.4.",
            ),
        ],
    ),
    "0-5": Choice(
        "`async with asyncio.timeout(1): await client.post(...)` raised TimeoutError. Did the server do what you asked?",
        [
            Option(
                "no: the call was cancelled before the server was done",
                "The time-out ended your waiting, nothing else. Do read 1.5.",
            ),
            Option(
                "yes: the request was sent, and only the answer was late",
                "It may never have got the request. Do read 1.5.",
            ),
            Option("it may have, or not; the time-out does not tell", "You may skip 1.5.", right=True),
        ],
    ),
    # In the text.
    "0-6": Several(
        "Where in this coroutine can another task get in?\n\n"
        "    value = self.value          # 1\n"
        "    value = value + 1           # 2\n"
        "    await asyncio.sleep(0)      # 3\n"
        "    self.value = value          # 4",
        [
            Option("between 1 and 2", "No `await` stands there."),
            Option("between 2 and 3", "Not before the `await` has begun to wait."),
            Option(
                "while line 3 waits",
                "`sleep(0)` waits for no time, yet it gives way: whoever is ready runs first.",
                right=True,
            ),
            Option("in the middle of line 4", "One assignment is not interrupted by another task."),
        ],
    ),
    "0-7": Number(
        "In the laboratory, a program sleeps for one hour, a thousand times over. How long does that take in virtual time?",
        1000,
        0,
        "hours",
        "Virtual time passes as the program says. On your watch it takes a moment, since nobody really waits.",
        "Virtual time is the time on the event loop's clock. How far has it moved?",
        {0: "That is about what your watch says. The event loop's own clock does move."},
    ),
    "0-8": Choice(
        "Ten runs, and in each of them the verdict on “a till that gives up blocks nobody” is “not exercised”. A colleague says: so the counter copes with customers who give up. What do you say?",
        [
            Option(
                "yes: ten runs, and the rule was never broken",
                "It could not break: in none of them did a customer give up.",
            ),
            Option(
                "no: the rule is broken, or it would say that it holds",
                "Then it would say when, and what was seen.",
            ),
            Option(
                "nobody knows yet: try a plan in which a customer gives up",
                "A test that cannot fail proves nothing. With `give-up` in the plan the rule holds or breaks, and then you know.",
                right=True,
            ),
        ],
    ),
    "0-9": Choice(
        "Search has tried 500 plans against the counter with a lock, and no rule was broken. What do you know?",
        [
            Option("it is correct", "500 plans of few faults each are many, and not all that there are."),
            Option(
                "it survives these 500 plans, for the rules and kinds of fault that were tried",
                "That is much more than one good day, and less than a proof. What was left out is worth a thought: a "
                "second process, for instance.",
                right=True,
            ),
            Option(
                "nothing",
                "Each of these plans could have broken it, as the second one broke the textbook version.",
            ),
        ],
    ),
}

# In this order lessons 1, 2, 3, … ask the first, second, third, …; lesson 1 also takes the last two.
RECALL = (
    Choice(
        "In asyncio, where can another task get in?",
        [
            Option(
                "between any two lines",
                "That is so with threads. Tasks take turns only where one of them waits.",
            ),
            Option(
                "only at an `await`, `async for` or `async with`",
                "What stands between two of them happens as one.",
                right=True,
            ),
            Option("at each call of a function", "A plain call gives way to nobody."),
        ],
    ),
    Choice(
        "One of three coroutines raises. With `gather` or with a `TaskGroup`: which of the two cancels the others?",
        [
            Option("`gather`", "`gather` raises and lets the others run on, unwatched."),
            Option(
                "`TaskGroup`",
                "And it waits until they have ended. After it, nothing of the group still runs.",
                right=True,
            ),
            Option("both", "Only the group does. What was given to `gather` goes on after it has raised."),
            Option("neither", "A TaskGroup does: it owns its tasks."),
        ],
    ),
    Several(
        "The same scenario, plan and seed always give the same run. Which of these make it so?",
        [
            Option("time is virtual", "No machine's speed enters it.", right=True),
            Option("chance is drawn from the seed", "The same seed draws the same delays.", right=True),
            Option(
                "what is ready at the same time runs in a fixed order", "First in, first out.", right=True
            ),
            Option("the code does nothing random", "It may: its chance comes from the seed as well."),
        ],
    ),
    Choice(
        "Two tasks read a counter, add one and write it back, with an `await` in between. Under what condition is a count lost?",
        [
            Option(
                "when a write fails",
                "Then somebody hears of it. The dangerous case is the one in which all go well.",
            ),
            Option(
                "when the second reads before the first has written",
                "Both write the same number, and nobody notices.",
                right=True,
            ),
            Option(
                "never, in one process", "Tasks of one process take turns at each `await`, also at this one."
            ),
        ],
    ),
    Choice(
        "A task is started with `asyncio.create_task` and fails. Who hears of it?",
        [
            Option(
                "whoever started it, at once",
                "The exception stays in the task. It is raised where the task is awaited.",
            ),
            Option(
                "whoever awaits the task; if nobody does, nobody",
                "asyncio may write a line to the log when the task is thrown away.",
                right=True,
            ),
            Option("the event loop, which stops", "It goes on as if nothing had been."),
        ],
    ),
    Choice(
        "A call over the network timed out. Did the other side do what you asked?",
        [
            Option("no", "The request may have arrived, and only the answer been late or lost."),
            Option("yes", "The request may have been lost on its way."),
            Option(
                "you cannot know",
                "The request may be lost, or the answer. Half of lesson 1 follows from that.",
                right=True,
            ),
        ],
    ),
)

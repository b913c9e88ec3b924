"""What lesson 3 asks. The wrong options are the usual misconceptions; each feedback says where its idea goes wrong."""

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "3-1": Prediction(
        "At 2 s comes an order without an address: *mail* will never accept it, and says so. What does the textbook do?",
        (
            Option(
                "it fails at once, and the order is set aside",
                "That is what one wants. But the textbook has one `except Exception` for everything.",
            ),
            Option(
                "it sends the order three times, and then forgets it",
                "Each exception is taken for one that passes, and after the third nothing is left of the event.",
                right=True,
            ),
            Option(
                "it sends the order three times, and then sets it aside",
                "The first half is right. Look for the line that would keep the event: there is none.",
            ),
            Option(
                "it sends the order for ever",
                "It does have a bound: `max_retries=3`, which means three calls in all.",
            ),
        ),
    ),
    "3-2": Prediction(
        "A hundred clients call at 0 s, and all fail. Each waits 1 s before its first retry, 2 s before the second, 4 s before "
        "the third. When does the service see the most calls at once after that?",
        (
            Option(
                "at 1 s; later the clients have drifted apart",
                "Nothing drives them apart: they all wait exactly the same.",
            ),
            Option(
                "never again more than a few: doubling the wait spreads them out",
                "Doubling makes the waits longer, not different. The gaps grow; the crowd stays.",
            ),
            Option(
                "at 1 s, 3 s and 7 s, a hundred each time",
                "Who failed together and waits equally long comes back together.",
                right=True,
            ),
        ),
    ),
    "3-3": Prediction(
        "From 3 s to 6 s *payments* is slow: each request takes 3 s longer, and then succeeds. No call fails. What does the "
        "textbook do with its orders?",
        (
            Option(
                "it gives up after a while, and tries again",
                "For that it would need a time-out. Without one, a call lasts as long as the service likes.",
            ),
            Option(
                "it waits for each of them, however long that takes",
                "Nothing limits a call, nor all of a job's calls together.",
                right=True,
            ),
            Option(
                "its breaker opens, since the service is in trouble",
                "The breaker counts failures, and nothing has failed. To it all is well.",
            ),
        ),
    ),
    "3-4": Prediction(
        "*payments* is down from 3 s to 6 s. Then it is well again. What does the textbook's breaker do with an order at 12 s?",
        (
            Option(
                "it lets it through: the success of a call has closed it",
                "Which call? An open breaker lets none through, so none can succeed.",
            ),
            Option(
                "it lets it through: some seconds after the last failure it closes by itself",
                "Look for a clock in it. There is none.",
            ),
            Option(
                "it refuses it, and every other until the program is started anew",
                "`is_open` is set to True in one line, and to False in none.",
                right=True,
            ),
            Option(
                "it was never open: three seconds are too short for it",
                "It needs five jobs with three failed calls each, and gets them in some two seconds.",
            ),
        ),
    ),
    "3-5": Prediction(
        "A breaker is half-open: it wants to find out whether the service is well. It looks at its state when a call comes in, and "
        "changes it when one has ended. Fifty calls come at the same moment. How many reach the service?",
        (
            Option(
                "one: the first goes ahead, the others wait for its outcome",
                "Nobody said that they have to wait. When the second one asks, the first has no outcome yet.",
            ),
            Option(
                "five, as many as its threshold of failures",
                "The threshold counts outcomes, and there are none before the first call has ended.",
            ),
            Option(
                "all fifty",
                "The state changes when a probe has *ended*; until then, whoever asks is let in.",
                right=True,
            ),
        ),
    ),
    "3-6": Prediction(
        "The shop has eight workers and calls *payments* and *mail* in turn. From 3 s to 6 s each request to *payments* takes 3 s "
        "longer. *mail* is well. How do the orders for *mail* fare in the textbook?",
        (
            Option(
                "as always: mail is another service, with a breaker of its own",
                "The breakers are apart. The workers are not: look for what the two services share.",
            ),
            Option(
                "they wait for a worker, up to seconds",
                "Six orders a second for payments, 3 s each: by Little's law eighteen workers, and there are eight.",
                right=True,
            ),
            Option(
                "they fail, since the shop is overloaded",
                "Nothing refuses them. They stand in a queue that has no end.",
            ),
        ),
    ),
    "3-7": Prediction(
        "Clients use 75 % of a service's capacity. From 5 s to 8 s each request takes a second longer; then the service is as "
        "quick as before. Clients wait 1 s for an answer and make up to three calls. What does the service do at 30 s?",
        (
            Option(
                "it answers as before: the cause ended 22 s ago, and there is capacity to spare",
                "It has 25 % to spare for *jobs*. But what arrives now are calls: three for each job.",
            ),
            Option(
                "it works off the last of its queue, and is well in a few seconds",
                "The queue would drain if less came in than goes out. Each job that times out makes two calls more.",
            ),
            Option(
                "it works all the time, and not one answer comes in time",
                "The queue is so long that each answer is late; each late answer is a retry; and the retries keep the queue long.",
                right=True,
            ),
            Option(
                "it has crashed",
                "It is busy, and that is the trouble: it works on requests that nobody waits for any more.",
            ),
        ),
    ),
}

CONCEPTS = {
    "3-1": Number(
        "50 calls a second go to a service that answers in 200 ms. How many are in progress at a time, on average? (Little's law)",
        answer=10,
        tolerance=0,
        unit="calls",
        feedback="50 a second times 0.2 s. When it answers in 2 s, it is a hundred.",
        otherwise="Calls in progress = calls a second × seconds a call.",
        mistakes={
            250: "You have divided. Think of one second: each of its 50 calls is there for a fifth of it.",
            10000: "200 ms are 0.2 s.",
        },
    ),
    "3-2": Choice(
        "A library draws the wait first and cuts it off at the cap of 5 s: `min(5, uniform(0, 2 ** retry))`. What do clients see "
        "after many failures?",
        (
            Option(
                "waits between 0 and 5 s, evenly spread",
                "They would be if the cap came first. Here most of what is drawn is far above 5.",
            ),
            Option(
                "nearly all wait exactly 5 s, so they come back together",
                "A jitter that is cut off is gone. One popular library shipped it so.",
                right=True,
            ),
            Option("waits that go on doubling", "They do not: the cap holds. It holds too well."),
        ),
    ),
    "3-3": Number(
        "A call has a time-out of 10 s for each attempt, three attempts, and waits of up to 1 s and 2 s in between. There is no "
        "deadline. How long may the caller have to wait, at most?",
        answer=33,
        tolerance=0,
        unit="s",
        feedback="Three times 10 s, and 3 s of waits. A page that should take a second.",
        otherwise="Add up: three attempts that each last until their time-out, and the two waits between them.",
        mistakes={
            10: "That is one attempt. A time-out for each attempt says nothing about all of them.",
            30: "And the two waits between the attempts?",
            13: "The time-out begins anew with each of the three attempts.",
        },
    ),
    "3-4": Choice(
        "A breaker judges the last ten calls, at least five, and opens at 50 %. The first five end so: failure, failure, failure, "
        "success, success. When does it open?",
        (
            Option("at the third failure", "Three calls are fewer than five: nothing is judged yet."),
            Option(
                "not at all: the last two went well",
                "It does not look at the last two but at the share of all: three of five failed.",
            ),
            Option(
                "at the second success",
                "It is the fifth call. From then on there is something to judge, and 60 % are at least 50 %.",
                right=True,
            ),
        ),
    ),
    "3-5": Several(
        "What of these says that a service is sick, so that a breaker should count it as a failure?",
        (
            Option("a refused connection", "Nobody is there.", right=True),
            Option("no answer within the time-out", "Too slow is as bad as down.", right=True),
            Option(
                "“422: there is no such address”",
                "The service was well enough to look. The next request may be a good one.",
            ),
            Option(
                "the caller cancelled the call",
                "The caller went away. Of the service one has learnt nothing.",
            ),
        ),
    ),
}

RECALL = (
    Choice(
        "A hundred clients fail together. What keeps them from coming back together?",
        (
            Option("waits that double", "Then they come back together, less often."),
            Option("waits that are drawn by chance", "That is jitter.", right=True),
            Option("a shorter time-out", "It ends the calls sooner, and for all alike."),
        ),
    ),
    Choice(
        "What is a deadline, other than a time-out for each attempt?",
        (
            Option(
                "one limit over all attempts and waits together",
                "A moment, which can be handed on to the next function and means the same there.",
                right=True,
            ),
            Option("the same in longer", "However long: three attempts take three times as long."),
            Option("a time-out that the server sets", "The server does not know how long you can wait."),
        ),
    ),
    Choice(
        "How does an open circuit breaker find out that the service is well again?",
        (
            Option(
                "a timer closes it after its wait",
                "Then the whole crowd would be let in, well or not.",
            ),
            Option("the service tells it", "A service that was down does not know who has given up on it."),
            Option(
                "after its wait it lets a few calls through, and judges by these",
                "The half-open state, with a bounded number of probes.",
                right=True,
            ),
        ),
    ),
    Choice(
        "One call in progress of a half-open breaker is cancelled. What must become of its permit?",
        (
            Option(
                "it is given back",
                "The call said nothing about the service. A permit that is lost leaves the breaker half-open for ever.",
                right=True,
            ),
            Option("it counts as a failed probe", "The caller went away; the service may be quite well."),
            Option("it is used up", "With the last permit lost, no call can ever decide."),
        ),
    ),
    Choice(
        "A service becomes slow, and does not fail. What protects your calls to *other* services?",
        (
            Option("more retries", "Each holds a worker for longer."),
            Option(
                "a retry budget", "It bounds the load on the slow service, not the workers that wait for it."
            ),
            Option("a bulkhead", "It bounds how many workers may wait for the slow one.", right=True),
        ),
    ),
    Choice(
        "An overload goes on although its cause is gone. What feeds it?",
        (
            Option("the queue, which needs time to drain", "It would drain, if less came in than goes out."),
            Option(
                "retries of calls that came too late, which make more calls come too late",
                "A metastable failure. Less load ends it: a retry budget.",
                right=True,
            ),
            Option("a leak in the service", "The service does all that it can, for nobody."),
        ),
    ),
    Number(
        "Five layers call one another, and each makes up to three attempts. The lowest is down. How many calls does one request "
        "from outside make there?",
        answer=243,
        tolerance=0,
        unit="calls",
        feedback="Three to the fifth. Retry in one layer only, or with budgets.",
        otherwise="Each layer multiplies by three what comes from above.",
        mistakes={15: "You have added. Each of the layer's three calls makes three in the next."},
    ),
)

"""What lesson 1 asks. The wrong options are the usual misconceptions; each feedback says where its idea goes wrong."""

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "1-1": Prediction(
        "From 1 s to 2 s the database of `email` refuses connections, and its handler raises. What happens to the orders "
        "of that second?",
        (
            Option(
                "`email` misses some orders; everything else goes on",
                "That is what one hopes for. But nothing in the textbook's `publish` stands between a handler's exception "
                "and its caller: `gather` passes it on.",
            ),
            Option(
                "the shop's `publish` fails, and nobody gets those orders",
                "The first half is right. But `gather` starts all handlers before the first one raises, and the others "
                "run on.",
            ),
            Option(
                "the shop's `publish` fails, and the others get those orders all the same",
                "It is the worst of the three: the customer sees an error, and half of the work is done.",
                right=True,
            ),
        ),
    ),
    "1-2": Prediction(
        "From 1 s to 2 s `email` takes three seconds for each order. How long does `publish` take for the order of 1.5 s?",
        (
            Option(
                "about a millisecond: the handlers go on in the background",
                "They would if they were tasks that nobody awaits. `await asyncio.gather(…)` waits until all of them have "
                "returned.",
            ),
            Option(
                "half a second: then the slow second is over",
                "The fault decides how long a handler takes that *starts* in that second. Once asleep, it sleeps its three "
                "seconds.",
            ),
            Option(
                "three seconds",
                "`gather` returns when the slowest handler does, so the shop's answer to its customer waits for an email.",
                right=True,
            ),
            Option(
                "more than three seconds: the orders before it are still waiting in `email`",
                "There is no queue in the textbook: each call of `publish` starts its own handlers, side by side with "
                "those of earlier orders. (A queue is what we shall build.)",
            ),
        ),
    ),
    "1-3": Prediction(
        "`orders` works through the event that it was given, and sets its quantity to 0 as it goes. What do `inventory` "
        "and `email` read?",
        (
            Option(
                "what the customer ordered: each handler has an event of its own",
                "Python passes the object itself, not a copy. Nobody in `publish` copies it.",
            ),
            Option(
                "0",
                "All three hold the same dict, and `orders` was called first.",
                right=True,
            ),
            Option(
                "`inventory` 0, and `email` what the customer ordered",
                "There is only one dict, so there is nothing else that `email` could read once it has been changed.",
            ),
            Option(
                "nothing: they fail, since the event was changed under their hands",
                "A dict does not mind who changes it, so nobody is told. That is why this defect is found so late.",
            ),
        ),
    ),
    "1-4": Prediction(
        "The *inventory* node crashes at 1 s and is back at 2 s. The shop waits 1 s for each subscriber's answer. A "
        "customer whose order fails tries again a second later, up to twice. What comes of it?",
        (
            Option(
                "ten orders are missing from the stock",
                "They would be, if nobody tried again. The second tries come when inventory is back.",
            ),
            Option(
                "the second tries repair it: everybody handles every order once",
                "You thought of the subscriber that was down. The others had the order already, and a second try goes to "
                "all of them.",
            ),
            Option(
                "some orders are taken from the stock twice",
                "Inventory is the one that did *not* have them: it was down at the first try. The doubles are elsewhere.",
            ),
            Option(
                "some orders are confirmed and mailed twice",
                "A second try is published to everybody, and nobody can tell that it is the same order.",
                right=True,
            ),
        ),
    ),
    "1-5": Prediction(
        "Now the *shop* crashes at 1 s and is back at 2 s; everybody else is well. What happens to an order placed at 2.5 s?",
        (
            Option(
                "`publish` says that all is well, and nobody gets the order",
                "The list of subscribers is empty, so there is nobody to wait for and nothing that could fail.",
                right=True,
            ),
            Option(
                "it goes the usual way: the shop is back",
                "The program is back, its memory is not. Who had subscribed was written nowhere else.",
            ),
            Option(
                "`publish` fails, since the shop knows no subscribers any more",
                "That would be a mercy: somebody would notice. For the textbook, an event without subscribers is no error.",
            ),
            Option(
                "it is late: the subscribers register again within a second or so",
                "They would have to know that the shop was away. They registered once, at their start, and now wait.",
            ),
        ),
    ),
    "1-6": Prediction(
        "From 1 s to 2 s the network delivers half of all messages twice, the copy up to a second later. The stock is just "
        "enough for the orders that are placed. What does that do to it in the textbook?",
        (
            Option(
                "nothing: the network drops what it has delivered already",
                "Inside one TCP connection it does. A resend after a time-out, a second connection, a broker after its "
                "restart: those are beyond TCP.",
            ),
            Option(
                "nothing: a copy carries the same id, so it is recognised",
                "The copy does carry the same id. But the textbook's handler never looks at it.",
            ),
            Option(
                "some orders are taken twice; nothing else",
                "They are, and more: a copy comes up to a second late, so an old order follows a newer one, and in the end "
                "the stock is below zero.",
            ),
            Option(
                "some orders are taken twice, some out of order, and in the end there is less than none",
                "A copy is handled like an order, and a late copy comes after newer ones.",
                right=True,
            ),
        ),
    ),
    "1-7": Prediction(
        "An order without a delivery address comes in, and `inventory` raises whenever it sees it. The customer tries three "
        "times in all. How often does the textbook confirm and mail this order?",
        (
            Option(
                "never: the publish fails",
                "It fails, but only after `orders` and `email` were called as well. That is prediction 1-1 once more.",
            ),
            Option(
                "once: the second and third try are recognised",
                "By what? Each try makes a new id from the clock.",
            ),
            Option(
                "three times",
                "Each try reaches the two that can handle it, and fails because of the one that cannot.",
                right=True,
            ),
        ),
    ),
    "1-8": Prediction(
        "The shop crashes just when its fifth order is on its disk. When it is back, who knows of this order?",
        (
            Option(
                "nobody: the crash undoes what was not finished",
                "Only what stands inside one transaction is undone. The order was stored in a write of its own, and that one "
                "had finished.",
            ),
            Option(
                "the shop; nobody else is ever told",
                "The crash fell between the two writes, and nothing on the disk says that the second is still to be done.",
                right=True,
            ),
            Option(
                "the shop, and soon everybody: it publishes the order once it is back",
                "It would have to know that it has not done so yet. Nothing on its disk tells an announced order from one that is "
                "not.",
            ),
        ),
    ),
}

CONCEPTS = {
    "1-1": Several(
        "A colleague mends the textbook with `gather(…, return_exceptions=True)`. What is mended?",
        (
            Option(
                "a failing handler makes `publish` fail",
                "The exception is now a value in the list that `gather` returns, and nobody looks at it.",
                right=True,
            ),
            Option(
                "`publish` waits for the slowest handler",
                "`gather` returns when all have ended, whichever way.",
            ),
            Option(
                "all handlers share one dict",
                "How results are collected has nothing to do with what the handlers were given.",
            ),
            Option(
                "`email` has missed an event for good",
                "It has, and it is worse than before: now nobody even hears of it.",
            ),
        ),
    ),
    "1-2": Number(
        "A log holds ten events, at the offsets 0 to 9. A subscriber has handled the events up to and with the one at "
        "offset 6, and has committed. What is its lag?",
        3,
        0,
        "events",
        "The end of the log is 10, the cursor is at 7, the next event that it wants; 7, 8 and 9 are still to come.",
        "Lag is the end of the log less the cursor. Write both down first: the cursor is the *next* offset.",
        {
            4: "You took the cursor to be at 6. It is the offset of the next event, so 7; else the event at 6 would come again.",
            2: "You took the end of the log to be 9. It is where the next event will go: 10.",
            7: "That is the cursor, how far it has come. Lag is how far it still has to go.",
            10: "That is the end of the log. Seven of these events it has handled.",
        },
    ),
    "1-3": Choice(
        "A subscriber has two things to do with an event: have its effect, and commit. It crashes between the two. What "
        "becomes of the event?",
        (
            Option(
                "commit first: it is lost. Effect first: it comes again",
                "Commit first is *at most once*, effect first is *at least once*. A repetition can be recognised; a loss "
                "cannot be repaired.",
                right=True,
            ),
            Option(
                "commit first: it comes again. Effect first: it is lost",
                "The other way round: after the restart it reads from its cursor. A cursor that has passed the event never "
                "comes back to it.",
            ),
            Option(
                "either way it is handled once, since the log keeps it",
                "The log does keep it. But which event is read next is decided by the cursor alone.",
            ),
            Option(
                "either way it comes again, since nobody has seen it to its end",
                "The log does not know what was seen to its end. It knows the cursor, and with commit first that has passed "
                "the event.",
            ),
        ),
    ),
    "1-4": Choice(
        "The email handler sends mail through another company's server. Can it be made idempotent in the same way?",
        (
            Option(
                "yes: write the mark before the mail is sent",
                "A crash between the two then loses the mail. You may prefer that, but it is not once.",
            ),
            Option(
                "yes: write the mark after the mail was sent",
                "A crash between the two then sends it twice.",
            ),
            Option(
                "yes: put both between the same `async with`",
                "A lock keeps other tasks out. It does not keep a crash out, and the mail has left the house.",
            ),
            Option(
                "no: effect and mark cannot be one write, since the effect is not on our disk",
                "You choose which mistake you prefer, or pass the event's id on, if the other side recognises "
                "repetitions. Many payment services do; they call it an *idempotency key*.",
                right=True,
            ),
        ),
    ),
    "1-5": Choice(
        "A subscriber reads from a log, retries each event until it works, and commits only then. What becomes of the orders "
        "behind a poison event?",
        (
            Option(
                "they are handled first, and the poison event last",
                "A log has one order, and a cursor one position. Nothing overtakes.",
            ),
            Option(
                "they wait for ever",
                "The cursor never passes the poison event. One bad order stops the whole subscriber, while the others notice "
                "nothing.",
                right=True,
            ),
            Option(
                "they are lost",
                "They are safe in the log. But nobody comes to read them.",
            ),
            Option(
                "they are late by a few retries",
                "They would be, if the number of attempts had a limit.",
            ),
        ),
    ),
    "1-6": Choice(
        "Would it have helped the shop to publish first and store the order afterwards?",
        (
            Option(
                "yes: what is announced is then always stored too",
                "Not when the crash falls between the two: then an order is announced that the shop does not know.",
            ),
            Option(
                "yes, if the log recognises repetitions",
                "That helps when something is announced twice. Here something is announced and then not stored.",
            ),
            Option(
                "no: a crash fits between any two writes",
                "Either order has its own loss. So there must be *one* write, and the other must follow from it.",
                right=True,
            ),
        ),
    ),
    "1-7": Number(
        "Events come at 200 a second. A subscriber that can handle 300 a second was down for one minute. How long does it "
        "take to be level again, once it is back?",
        120,
        1,
        "s",
        "12 000 events behind, and it gains 100 a second on those that come in. Two minutes for one minute's outage.",
        "First the backlog, *λD*. Then how fast it shrinks: *μ − λ*.",
        {
            40: "That is *λD / μ*: the backlog alone. Meanwhile 200 more come in each second.",
            60: "That is the outage. How far behind is it then, and by how much does the backlog shrink each second?",
            24: "You added the rates. What comes in makes the backlog longer, so it is *μ − λ*.",
            180: "Near: that counts from the crash. The question is how long it takes once it is back.",
            12000: "That is the backlog, in events.",
        },
    ),
}

RECALL = (
    Choice(
        "The same event is delivered a second time. By what does a subscriber know it?",
        (
            Option("by its id", "Two sources may use the same id. Their events would be taken for one."),
            Option("by its source and its id", "That is what CloudEvents says: (source, id).", right=True),
            Option(
                "by its time", "A retry is made later, and clocks disagree. Time says nothing about sameness."
            ),
            Option(
                "by its offset",
                "A second append has an offset of its own, unless somebody has recognised it first.",
            ),
        ),
    ),
    Choice(
        "A subscriber commits its cursor and crashes before the effect. What kind of delivery is that?",
        (
            Option(
                "at most once",
                "The cursor has passed the event, and its effect never comes: it is lost.",
                right=True,
            ),
            Option(
                "at least once",
                "For that the commit must come *after* the effect, so that a crash repeats the event.",
            ),
            Option(
                "exactly once",
                "The event has had no effect at all. Once *in effect* takes one write for effect and mark.",
            ),
        ),
    ),
    Several(
        "What does an idempotent handler need, so that each event has its effect once?",
        (
            Option("to recognise the event", "By its (source, id).", right=True),
            Option(
                "effect and mark in one durable step",
                "With two steps, a crash between them loses the effect or doubles it.",
                right=True,
            ),
            Option(
                "nobody between looking and acting",
                "Else two deliveries at once both look, both find nothing, and both act.",
                right=True,
            ),
            Option(
                "a network that delivers exactly once",
                "Nobody can promise that: a sender that is not sure must send again or risk a loss.",
            ),
        ),
    ),
    Choice(
        "When is an attempt to handle an event counted, so that an event that kills the process is set aside one day?",
        (
            Option(
                "when its exception is caught",
                "A process that dies catches nothing, so it would never be counted.",
            ),
            Option("before it is made, on the disk", "Then the count outlives the crash.", right=True),
            Option(
                "before it is made, in memory",
                "Memory is gone after the crash, and the count begins again at 0.",
            ),
            Option("when it has succeeded", "Then there is nothing left to count."),
        ),
    ),
    Choice(
        "`publish` of our event-driven shop has returned. What has happened?",
        (
            Option(
                "every subscriber has handled the event",
                "Then the slowest subscriber would set the shop's pace. `publish` waits for no subscriber.",
            ),
            Option(
                "every subscriber has received the event",
                "A subscriber that is down cannot, and `publish` does not wait for it.",
            ),
            Option(
                "the event is in the log, durably",
                "Acknowledged means just that. The rest follows from it.",
                right=True,
            ),
            Option(
                "the event was sent", "Sent is not arrived. `publish` sends again until the log has answered."
            ),
        ),
    ),
    Number(
        "A log ends at offset 250 (the next event will get that number). A subscriber's committed offset is 180. How many "
        "events has it still to read?",
        70,
        0,
        "events",
        "Those at 180 to 249. The committed offset is the next one to read, and the end is not yet taken.",
        "Take the committed offset from the end of the log.",
        {
            69: "You began at 181. The committed offset is the *next* one to read, so the event at 180 is still to come.",
            71: "You counted 250 too. There is no event there yet.",
            180: "That is how many it has behind it.",
        },
    ),
)

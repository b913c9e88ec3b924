"""What lesson 4 asks. The wrong options are the usual misconceptions; each feedback says where its idea goes wrong."""

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "4-1": Prediction(
        "Three nodes send a heartbeat to *watcher* every 200 ms. At 3 s *node-2* crashes, for good. The textbook writes down when "
        "it heard each node last. When does it take *node-2* for dead?",
        (
            Option(
                "at 3 s: the connection breaks, and it is told so",
                "Nobody tells it. A crashed machine sends nothing, and silence is no message.",
            ),
            Option(
                "at 3.2 s, when the next heartbeat is missing",
                "For that, something would have to look at the clock when *nothing* arrives. And one missing heartbeat is no death.",
            ),
            Option(
                "about a second later, once a timeout has passed",
                "It has a `timeout_s`, and no line that compares anything with it.",
            ),
            Option(
                "never",
                "The time of the last heartbeat is kept, and nobody looks at it.",
                right=True,
            ),
        ),
    ),
    "4-2": Prediction(
        "Now a node is suspected after 1 s of silence. At 3 s *node-2* is paused for 3 s, by its garbage collector, say; it is not "
        "dead. What does the watcher do?",
        (
            Option(
                "nothing: it notices that the node is only paused",
                "How? Dead, paused, slow and cut off look the same from here: silent.",
            ),
            Option(
                "it suspects the node, and takes that back when it hears it again",
                "More cannot be had. A suspicion is a guess, and what follows from it must bear that it is wrong.",
                right=True,
            ),
            Option(
                "it suspects the node for good: what was declared dead stays dead",
                "Then every long pause would cost a machine. A heartbeat is proof of life, whenever it comes.",
            ),
        ),
    ),
    "4-3": Prediction(
        "In the textbook the lowest name leads, and a health check beside each node takes out whoever does not answer. From 3 s to "
        "8 s *node-1*, which leads, cannot reach the two others, nor they it. Who takes writes at 5 s?",
        (
            Option(
                "node-1 alone: it led before, and it is alive",
                "Ask the two others: *node-1* has been silent for two seconds.",
            ),
            Option(
                "node-2 alone: node-1 is taken out",
                "On one side of the cut it is. On the other side nobody has told *node-1*.",
            ),
            Option(
                "nobody, until they can talk again",
                "That would be the careful choice. But the textbook asks nobody before it leads.",
            ),
            Option(
                "node-1 and node-2, both",
                "Each side looks at whom *it* can see, finds a lowest name among these, and is content.",
                right=True,
            ),
        ),
    ),
    "4-4": Prediction(
        "The same cut, with ours: *node-1* alone on one side, *node-2* and *node-3* on the other. What becomes of a write that a "
        "client sends to *node-1* at 5 s?",
        (
            Option(
                "it is taken, and handed to the others when the cut is over",
                "By then the others may have written the same key. Whose write would you throw away?",
            ),
            Option(
                "it is refused, and so are all others: with a node missing the cluster is down",
                "Two of three are a majority. On their side the cluster goes on.",
            ),
            Option(
                "it is refused: node-1 has found out that it does not lead any more",
                "A leader that hears no majority for as long as an election timeout steps down. Its clients are told at once.",
                right=True,
            ),
        ),
    ),
    "4-5": Prediction(
        "The leader has checked that it leads, and is about to write a result to a store. There it is paused, for ten seconds. The "
        "others elect a new leader, which writes to the store as well. Then the old one wakes. What becomes of its write?",
        (
            Option(
                "it goes out: the job goes on where it stopped",
                "It checked that it leads *before* the pause. No check of its own can help: it can be paused after that, too.",
                right=True,
            ),
            Option(
                "it is not sent: the node notices that ten seconds have passed, and asks who leads",
                "A paused process notices nothing. The job goes on with its very next line, and that one sends the write.",
            ),
            Option(
                "it is not sent: the others have removed the node",
                "They have elected another. That does not reach into the memory of the one that sleeps.",
            ),
        ),
    ),
    "4-6": Prediction(
        "The textbook's leader stores a write, sends it to the others and says *ok* at once. Right after that it crashes, and its "
        "messages are lost. What does a client read from the new leader?",
        (
            Option(
                "what was there before: the value is gone",
                "Nobody but the dead leader had it when it said ok.",
                right=True,
            ),
            Option(
                "the value: it was acknowledged, so it is safe",
                "What does *acknowledged* mean here? One node had it, and that node is gone.",
            ),
            Option(
                "an error: the new leader knows that something is missing",
                "It knows what it was sent. Of what it was not sent it knows nothing.",
            ),
        ),
    ),
    "4-7": Prediction(
        "Twelve jobs run on three nodes, four each. *node-3* dies, and comes back three seconds later. How many jobs move in all, "
        "at the least, so that the load is even each time?",
        (
            Option(
                "four, and then twelve: the work is dealt out anew",
                "That is even, too. But each job that moves must load its state again; eight of them moved for nothing.",
            ),
            Option(
                "all twelve, twice",
                "Of the jobs on the two live nodes none has to move when the third one dies.",
            ),
            Option(
                "four, and then four",
                "Those of the dead node move, two to each of the others; later two come back from each.",
                right=True,
            ),
            Option(
                "four, and then none: who comes back waits for new work",
                "Then two nodes have six jobs each and one has none.",
            ),
        ),
    ),
    "4-8": Prediction(
        "Five servers, and the leader crashes. Whoever hears nothing for its election timeout stands for election. All have the "
        "same timeout: 150 ms. How long is the cluster without a leader?",
        (
            Option(
                "150 ms, and the time of one vote",
                "All four stand at the same moment, each votes for itself, and nobody has a majority.",
            ),
            Option(
                "about twice that: the first vote is split, the second is not",
                "What should be different the second time? They wait equally long again.",
            ),
            Option(
                "many seconds",
                "Each round the votes are split again, until chance, in the network, lets one be early.",
                right=True,
            ),
        ),
    ),
}

CONCEPTS = {
    "4-1": Choice(
        "A heartbeat comes every 200 ms, a node is suspected after 1 s. To notice a death sooner you set the timeout to 250 ms. What "
        "do you get?",
        (
            Option(
                "deaths are noticed four times as fast, and that is all",
                "There is a price. What does the watcher do now when a single heartbeat is lost?",
            ),
            Option(
                "a single heartbeat that is lost or late is taken for a death",
                "One missing heartbeat is no death. To be quick *and* patient, send heartbeats more often: that costs messages.",
                right=True,
            ),
            Option(
                "nothing: a death is noticed by the heartbeat that is missing",
                "It is noticed by the timeout. A shorter one notices earlier.",
            ),
        ),
    ),
    "4-2": Number(
        "Five nodes watch one another: each sends a heartbeat to each of the four others, 20 times a second. How many messages are "
        "that a second?",
        answer=400,
        tolerance=0,
        unit="messages",
        feedback="5 × 4 × 20. With fifty nodes it is 49,000. So either the leader alone sends heartbeats, or nodes gossip: each tells a few others whom it has heard.",
        otherwise="How many pairs of sender and receiver are there? Each has 20 messages a second.",
        mistakes={
            100: "Five nodes, 20 times a second each, but to four others.",
            500: "A node need not send heartbeats to itself.",
            200: "You have counted each pair once. Both send.",
        },
    ),
    "4-3": Number(
        "A cluster has four members. How many of them may fail so that the others can still elect a leader?",
        answer=1,
        tolerance=0,
        unit="members",
        feedback="A majority of four is three. A fourth member buys nothing over three: that is why clusters have 3, 5 or 7.",
        otherwise="How many are more than half of four? That many must be left.",
        mistakes={
            2: "Two of four are half, not more than half. Cut in the middle, each half would elect its own.",
            3: "One cannot know whether it is alone or cut off. It must not elect itself.",
        },
    ),
    "4-4": Choice(
        "*node-2* votes for *node-1* in term 7, crashes and restarts, all within a moment. *node-3* asks for its vote in term 7. What "
        "must it answer?",
        (
            Option(
                "no: it has voted in this term",
                "It knows that from its disk. Term and vote are written there *before* the vote is sent.",
                right=True,
            ),
            Option(
                "yes: it has not voted since it started",
                "Then term 7 may have two leaders: *node-1* counts a vote that was given away twice.",
            ),
            Option(
                "no: who has just started must not vote for a while",
                "How long is a while? There is no bound on how late a message may come. The disk needs none.",
            ),
        ),
    ),
    "4-5": Choice(
        "A key was written with token 34. Which of these writes to the same key does the store take?",
        (
            Option(
                "33, if its sender still holds the lock by its own clock",
                "That is what the sender believes. The store has proof of a newer one.",
            ),
            Option(
                "34 and above",
                "An equal token is the same leader's next write. Only a lower one is refused.",
                right=True,
            ),
            Option("35 and above", "Then a leader could write once only."),
        ),
    ),
    "4-6": Several(
        "In a cluster of five, at which moments may the leader tell a client *ok*? The entry is of the leader's own term.",
        (
            Option("when it is on its own disk", "One disk, which may be the one that is lost."),
            Option(
                "when it has been sent to all four others",
                "Sent is not received, and received is not on a disk.",
            ),
            Option(
                "when it is on its own disk and on two others",
                "Three of five: every majority that elects a later leader has one of them in it.",
                right=True,
            ),
            Option(
                "when it is on all five disks",
                "It may, but it need not wait for that: one dead member would stop all writes.",
                right=True,
            ),
        ),
    ),
    "4-7": Several(
        "A register holds 1. Client A writes 2; this takes from 10 s to 12 s. Which of these is *not* linearizable?",
        (
            Option(
                "B reads from 10.5 s to 11 s and gets 1",
                "It is. The write may take place at any moment up to 12 s.",
            ),
            Option(
                "B reads from 10.5 s to 11 s and gets 2",
                "It is. The write may have taken place at 10.2 s, before A was told.",
            ),
            Option(
                "B reads from 13 s to 14 s and gets 1",
                "The write took place by 12 s, and B asked after that.",
                right=True,
            ),
            Option(
                "B reads until 11 s and gets 2; then C reads from 11.2 s to 11.5 s and gets 1",
                "B's read proves that the write had taken place by 11 s. After that nobody may get 1: never back from new to old.",
                right=True,
            ),
        ),
    ),
}

RECALL = (
    Choice(
        "A node has been silent for longer than its timeout. What do you know?",
        (
            Option(
                "that it was silent",
                "A suspicion. What follows from it must be right even when the node lives.",
                right=True,
            ),
            Option("that it is dead", "It may be slow, paused or cut off, and back in a moment."),
            Option("that the network is cut", "That, or a crash, or a pause. From here they look the same."),
        ),
    ),
    Choice(
        "Why is a leader elected by a majority of *all* members, and not of those that can be reached?",
        (
            Option(
                "because any two majorities of all members have a member in common, which votes once",
                "So a term has one leader at most, however the network is cut.",
                right=True,
            ),
            Option("because more votes make a better leader", "It is not about the best. It is about one."),
            Option("because the others would not accept it", "Those who cannot be reached accept nothing."),
        ),
    ),
    Choice(
        "A leader is paused, replaced, wakes, and writes to a store. What keeps the write out?",
        (
            Option(
                "the leader checks once more before it writes", "It can be paused after that check as well."
            ),
            Option("a lock with a time limit", "The one who sleeps does not see the limit pass."),
            Option(
                "the store: it refuses a token lower than the highest with which the key was written",
                "A fencing token, checked at the resource.",
                right=True,
            ),
        ),
    ),
    Choice(
        "What must be on a member's disk before it sends its vote?",
        (
            Option("its whole log", "It is there already; the vote adds nothing to it."),
            Option(
                "the term and whom it voted for",
                "Otherwise a restart gives it a second vote in the same term.",
                right=True,
            ),
            Option("nothing: a vote is only a message", "After a restart it would vote again."),
        ),
    ),
    Number(
        "A cluster has five members. On how many disks must a write be before it is acknowledged?",
        answer=3,
        tolerance=0,
        unit="disks",
        feedback="A majority. Any two members may be lost then, and the write is still in the log of one that can be elected.",
        otherwise="So many that every majority which may elect the next leader has one of them in it.",
        mistakes={
            5: "Then a single dead member would stop all writes.",
            2: "The two may be the ones that are lost.",
        },
    ),
    Choice(
        "Three candidates stand for election at the same moment, again and again. What ends it?",
        (
            Option("a shorter timeout", "Then they stand at the same moment sooner."),
            Option("the lowest name wins", "Of those who can see it. Behind a cut, others do."),
            Option("a timeout that is drawn by chance", "One is early, and has the votes.", right=True),
        ),
    ),
    Choice(
        "What does *linearizable* promise of a register?",
        (
            Option(
                "that all copies are equal at all times",
                "They cannot be. It is what clients see that counts.",
            ),
            Option(
                "that each operation seems to happen at one moment between its start and its end",
                "So nobody reads an old value after somebody has read, or was promised, a newer one.",
                right=True,
            ),
            Option("that no write is lost", "That, and no read is stale either."),
        ),
    ),
)

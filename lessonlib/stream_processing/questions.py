"""What lesson 2 asks. The wrong options are the usual misconceptions; each feedback says where its idea goes wrong."""

from lessonlib.learning.questions import Choice, Number, Option, Prediction, Several

PREDICTIONS = {
    "2-1": Prediction(
        'The textbook puts an event into partition `hash(event["id"]) % 4`. One aircraft is announced, delayed, and departs: '
        "three events. Half-way through the run a new version is deployed. Where do events about one aircraft go?",
        (
            Option(
                "to one partition, before the deployment and after it",
                "You would want that. But each event has an id of its own, so each is placed on its own.",
            ),
            Option(
                "to one partition until the deployment, then to another one",
                "That would be so if the aircraft were the key. A new process has a new salt for `hash()`, so even then the "
                "aircraft would move.",
            ),
            Option(
                "to several partitions from the start",
                "The ids differ, so the events of one aircraft are scattered, and nobody keeps their order. The "
                "deployment scatters them once more.",
                right=True,
            ),
            Option(
                "to several partitions from the start; the deployment changes nothing",
                "The first half is right. But `hash()` of a str is salted anew in each process: the same id goes "
                "elsewhere afterwards.",
            ),
        ),
    ),
    "2-2": Prediction(
        "62 events come within one and a half seconds and go to four partitions. A batch is full with five events; the "
        "processing window is half a second. How many events has the textbook not handled a minute later?",
        (
            Option(
                "none: after half a second a batch goes out, full or not",
                "That is what a processing window is for. Look for the line of the textbook that reads it.",
            ),
            Option(
                "up to four in each partition: whatever was left when no batch became full any more",
                "Three, two, none and two. They wait for an event that would fill the batch, and it never comes.",
                right=True,
            ),
            Option(
                "two: 62 is twelve full batches and two more",
                "There is not one row of batches but four, one for each partition, and each has its own remainder.",
            ),
            Option(
                "all of one partition: its batch never became full",
                "Each partition has had about fifteen events, so each has had full batches. It is the *last* one of "
                "each that stays.",
            ),
        ),
    ),
    "2-3": Prediction(
        "One batch holds, all about one order: `created`, `cancelled`, `created`, `paid`. The textbook hands the events of "
        "a batch to their handlers type by type. In which order are they handled?",
        (
            Option(
                "created, cancelled, created, paid",
                "It would be so if each event went alone, or only *neighbours* of one type went together.",
            ),
            Option(
                "created, created, cancelled, paid",
                "All of a type go together, in the order in which the types first appear. The order was placed, placed "
                "again, cancelled, and then paid.",
                right=True,
            ),
            Option(
                "cancelled, created, created, paid",
                "Types are not sorted by name; a dict keeps the order in which its keys came.",
            ),
            Option(
                "any: the handlers run at the same time",
                "They run one after the other, each group is awaited. The order is fixed, and wrong.",
            ),
        ),
    ),
    "2-4": Prediction(
        "From half a second on the handler of departures takes two seconds longer for each batch. 40 events come each second, more than "
        "can be handled. In the scenario a partition's buffer is meant to hold ten events. What does the textbook do?",
        (
            Option(
                "the producer is slowed to what the handlers can do",
                "Somebody would have to make it wait. `process_event` appends to a list and returns.",
            ),
            Option(
                "it drops what does not fit",
                "That would at least keep the memory in bounds. A list always has room.",
            ),
            Option(
                "`process_event` raises an error when the buffer is full",
                "There is no such thing as a full list. Nobody hears of the trouble.",
            ),
            Option(
                "the buffers grow for as long as the trouble lasts",
                "Nothing bounds them and nobody is slowed. With a long enough trouble the process runs out of memory, and "
                "all that waits is gone.",
                right=True,
            ),
        ),
    ),
    "2-5": Prediction(
        "A flight's event *happens* at its scheduled time and *arrives* in our stream when the plane leaves. In a week at New York's three "
        "airports 6034 planes left. How late do their events arrive?",
        (
            Option(
                "spread evenly around half an hour",
                "Delays do not look like that. Most planes are on time, and a few are very late.",
            ),
            Option(
                "half of them on time or early, one in ten more than an hour late, a few by many hours",
                "A long tail: the middle one left a minute *early*, one in ten came 79 minutes late or more, and the last one nearly "
                "eight hours. Lateness in streams of phones, sensors and partners looks the same.",
                right=True,
            ),
            Option(
                "nearly all within ten minutes, none above an hour",
                "The first half is nearly true. It is the tail that a stream processor must decide about.",
            ),
        ),
    ),
    "2-6": Prediction(
        "The textbook counts departures by the hour in which their events *arrive*. What does a count for 7 to 8 o'clock say?",
        (
            Option(
                "how many flights were scheduled then, more or less",
                "More or less is the trouble: planes of six o'clock that were late are in it, and those of half past "
                "seven that are late are not. And if you read the file again tomorrow, the count is another one.",
            ),
            Option(
                "how many planes left then; that is what we want to know",
                "It may be, for the runway. The question was how many flights there *were* in that hour; and it counts arrivals at the counter, "
                "so that a slow network changes the answer too.",
            ),
            Option(
                "how many events came to the counter then, whatever they are about",
                "It measures the planes, the network and the counter's own troubles, all in one number, and another "
                "run over the same file gives other numbers.",
                right=True,
            ),
        ),
    ),
    "2-7": Prediction(
        "Our counter closes an hour when *all three* airports have shown that they are past it. A storm: from 2 s to 8 s of the run no plane leaves LGA. JFK and EWR go on. "
        "What happens to the windows of JFK and EWR, if nothing is done about silence?",
        (
            Option(
                "they are closed as usual: LGA has no events that could be missing",
                "So it is, but the counter cannot know. To it, an airport that is silent and one whose network is slow look the same.",
            ),
            Option(
                "none of them is closed until LGA speaks again",
                "The watermark is the minimum, and LGA's stands still. One silent source holds up all the others. In this run LGA "
                "never spoke again: it was the stream's end that reported them.",
                right=True,
            ),
            Option(
                "they are closed late, by the delay of the watermark",
                "The delay is counted back from what each source has shown. LGA shows nothing, so nothing moves at all.",
            ),
            Option(
                "the events of JFK and EWR are called late",
                "Late is what comes *after* its window was closed. Here nothing is closed.",
            ),
        ),
    ),
    "2-8": Prediction(
        "With a delay of one hour the watermark loses 6 % of the week's departures to the side output. You raise the delay to three hours. "
        "What does that do?",
        (
            Option(
                "the loss falls to a third, about 2 %",
                "It would if lateness fell off evenly. Look at the tail: the further out, the fewer there are.",
            ),
            Option(
                "the loss falls to about 1 %, and results come hours later",
                "63 of 6034 events are still late, and a window is reported more than two hours later than before. The tail is paid for "
                "in waiting time.",
                right=True,
            ),
            Option(
                "nothing is lost any more",
                "The longest delay was almost eight hours. Whoever wants *none* to be late waits for the very last "
                "one, with every result.",
            ),
            Option(
                "the loss falls to about 1 %, and results come as early as before",
                "A window is reported when the watermark has passed it, and the watermark now stands two hours further back.",
            ),
        ),
    ),
    "2-9": Prediction(
        "The textbook saves the counts in one file and the offset in another. The worker crashes just when the counts are on the disk, and comes back. "
        "What is counted?",
        (
            Option(
                "all events once: at least one of the two files is up to date",
                "Each is up to date with something, but not with the other. That is the trouble.",
            ),
            Option(
                "some events are missing",
                "They would be, if the *offset* were the one that had been written.",
            ),
            Option(
                "some events are counted twice",
                "The counts have them already, the offset has not: they are read again, and added again.",
                right=True,
            ),
        ),
    ),
    "2-10": Prediction(
        "Six partitions, three workers with two each. `worker-2` crashes. The textbook gives partition *p* to worker number *p mod n*. How many of the six partitions get another reader?",
        (
            Option(
                "two: those of `worker-2`",
                "Those two must move. But the rule does not look at who had what: with *n* = 2 in place of 3 it comes "
                "out differently for others too.",
            ),
            Option(
                "four",
                "The two of `worker-2`, and two that were where they should be. Each move stops the reading and moves "
                "the state.",
                right=True,
            ),
            Option(
                "six: all are given out anew",
                "All are *computed* anew, but 0 and 5 come out as before.",
            ),
        ),
    ),
    "2-11": Prediction(
        "`worker-1` is not dead but paused for eight seconds, in the middle of a batch: a long garbage collection. After four "
        "seconds of silence its partitions go to another worker, who reads on. What does `worker-1` do when it wakes?",
        (
            Option(
                "it notices that it was away, and asks for its partitions",
                "Nothing in it can notice. For `worker-1` no time has passed between two lines of its program.",
            ),
            Option(
                "it finishes its batch and commits, and the offset goes back",
                "It has no reason to doubt that the partition is its own, and the textbook's coordinator believes whoever "
                "commits. What the successor has counted is read again.",
                right=True,
            ),
            Option(
                "it finishes its batch, and the commit is refused",
                "That is what should happen. Somebody would have to keep a list of who may commit *now*.",
            ),
            Option(
                "it finishes its batch; two workers have handled the same events, and nothing else comes of it",
                "The batch was handled twice, true. But it also commits, and its offset is an old one.",
            ),
        ),
    ),
    "2-12": Prediction(
        "Keys are spread over 10 nodes by `hash(key) % 10`. One node is added. How many keys move to another node?",
        (
            Option(
                "one in eleven: the new node takes its share",
                "That is the least there could be, and what a ring does. Modulo does not know who had what.",
            ),
            Option(
                "about half",
                "It is worse. A key stays only if it leaves the same remainder by 10 and by 11.",
            ),
            Option(
                "nine in ten",
                "Only keys whose hash leaves the same remainder by 10 and by 11 stay: 10 of 110, so 90.9 % move. For a cache "
                "that means: everything is cold.",
                right=True,
            ),
        ),
    ),
    "2-13": Prediction(
        "One worker handles 500 events a second. The events are those of the three airports, and the *airport* is the key. What do eight "
        "workers handle?",
        (
            Option(
                "about 4000 a second",
                "If there were many keys of about the same size. There are three keys, and a key has one worker.",
            ),
            Option(
                "about 1500 a second: three keys, three workers",
                "Nearly. Three would do that if the keys were equally large *and* went to three different workers.",
            ),
            Option(
                "about 1400 a second, or less",
                "EWR alone has 36 % of all events, and one worker does them all: 500 / 0.36 is about 1390, and if two airports fall into one partition it is less. The "
                "other workers have nothing to do.",
                right=True,
            ),
        ),
    ),
}

CONCEPTS = {
    "2-1": Several(
        "For each stream, is the proposed key a good one? Mark the good ones.",
        (
            Option(
                "bank transfers, key: the account",
                "Order matters within an account, and there are many accounts.",
                right=True,
            ),
            Option(
                "clicks in a shop, key: the country",
                "Few keys, and one of them is huge. Most workers would have nothing to do.",
            ),
            Option(
                "orders, key: a random number",
                "Evenly spread, and nothing about one order stays together: no order, no state.",
            ),
            Option(
                "sensor readings, key: the sensor",
                "Each sensor's readings stay in order, and the sensors are many and alike.",
                right=True,
            ),
            Option(
                "log lines, key: the hour",
                "All events of one hour have one key, so one partition gets all of the traffic, then the next one.",
            ),
        ),
    ),
    "2-2": Number(
        "Events come at 500 a second, a partition's worker handles 300 a second, and its buffer holds 1000. After how many seconds is the buffer full?",
        5,
        0.05,
        "s",
        "It fills by 200 a second. From then on the producer is slowed to 300 a second, or something is lost, or something fails. Those are the choices.",
        "What is left over each second, and how long until that is 1000?",
        {
            2: "That counts what comes in. Meanwhile 300 a second go out.",
            3.33: "That is how long it takes to empty it, if nothing comes.",
            1.25: "You added the rates. What goes out makes room.",
        },
    ),
    "2-3": Number(
        "Windows of 60 minutes begin every 15 minutes. In how many of them is an event?",
        4,
        0,
        "windows",
        "Size divided by slide. Memory and work grow with it: windows of a day that begin every minute hold each event 1440 times.",
        "Draw the windows that hold the event: the latest begins at most 15 minutes before it, the earliest less than 60.",
        {
            1: "That is so for tumbling windows. These begin every 15 minutes and overlap.",
            5: "The end is not inside. If the event is exactly at a window's end, it is not in it.",
            15: "That is the slide, in minutes.",
            60: "That is the size, in minutes.",
        },
    ),
    "2-4": Choice(
        "The latest event times that have been seen: EWR 10:40, JFK 11:20, LGA 10:50. The delay is 15 minutes. A departure of 10:20 arrives. Windows are one hour. What becomes of it?",
        (
            Option(
                "late: it is behind the watermark",
                "It need not be ahead of the watermark. What counts is whether its *window* is closed.",
            ),
            Option(
                "counted: its window, 10 to 11, is open",
                "The watermark is the slowest source less the delay: 10:25. The window closes at a watermark of 11:00.",
                right=True,
            ),
            Option(
                "late: JFK is at 11:20, so the watermark is at 11:05",
                "That is the fastest source. The watermark is the minimum over the sources, or JFK would close windows on EWR.",
            ),
            Option(
                "counted, in the window from 11 to 12, since it arrives then",
                "That would be processing time. An event belongs where it happened.",
            ),
        ),
    ),
    "2-5": Several(
        "A worker counts departures, sends a message to a pager for each that is late, and saves counts and offset together every ten events. It crashes at the seventh. "
        "What is true after its restart?",
        (
            Option(
                "the counts are right",
                "Counts and offset are as they were at the last save; the seven are read and counted again, from there.",
                right=True,
            ),
            Option(
                "nobody is paged twice",
                "A message that was sent is not in the checkpoint and is not taken back. The seven are handled again, pages "
                "included: effects outside must be idempotent (lesson 1).",
            ),
            Option(
                "up to ten events are handled again",
                "That is the price of saving rarely. Saving after each event would cost a write each.",
                right=True,
            ),
            Option(
                "the seven events are lost",
                "The offset was not moved past them.",
            ),
        ),
    ),
    "2-6": Choice(
        "A coordinator hears nothing from a worker for four seconds. What does it know?",
        (
            Option(
                "the worker is dead",
                "It may be dead, or paused, or its network may be slow. From outside they look the same.",
            ),
            Option(
                "the worker will not write any more",
                "That is what it would like to know. A paused worker goes on where it stopped, and writes.",
            ),
            Option(
                "nothing but that: so it must be safe to be wrong",
                "It gives the partitions to another, with a higher epoch, and refuses what comes with an older one. Then "
                "it does not matter whether it was right.",
                right=True,
            ),
        ),
    ),
}

RECALL = (
    Choice(
        "Why must an event's partition be chosen by the entity it is about, and not by its own id?",
        (
            Option(
                "so that the load is even", "Ids spread more evenly than entities do. It is not for the load."
            ),
            Option(
                "because order is kept within a partition only",
                "All events about one entity must go the same way, or nobody keeps their order.",
                right=True,
            ),
            Option(
                "so that a repetition is recognised",
                "That is what the id is for, together with the source. Any partition would do for it.",
            ),
        ),
    ),
    Choice(
        "A buffer is full and events keep coming. What does *backpressure* mean?",
        (
            Option(
                "the producer is made to wait until there is room",
                "The slowness travels back to the source, which can often wait: a log, a file, a socket.",
                right=True,
            ),
            Option("the oldest events are dropped", "That is one of the other choices. It loses events."),
            Option(
                "the buffer is enlarged",
                "That puts the question off, and makes what is lost in a crash larger.",
            ),
        ),
    ),
    Number(
        "Two sources have shown events up to 12:00 and 11:30. The watermark's delay is 10 minutes. How many minutes after 11 is the watermark?",
        20,
        0,
        "minutes",
        "The minimum over the sources, 11:30, less the delay.",
        "Which of the two sources decides, and what is the delay counted from?",
        {
            50: "That is the fastest source less the delay. The slowest decides.",
            30: "You forgot the delay.",
            40: "The delay makes it earlier: stragglers are given time.",
        },
    ),
    Choice(
        "When is an event late?",
        (
            Option(
                "when it is older than the one before it",
                "That is out of order, which is ordinary and harmless while its window is open.",
            ),
            Option(
                "when it arrives long after it happened",
                "How long is long? Time alone does not decide; the watermark does.",
            ),
            Option(
                "when the watermark has passed the end of its window",
                "Its result has been reported. It goes to the side output, or corrects the result within the allowed "
                "lateness.",
                right=True,
            ),
        ),
    ),
    Choice(
        "Why do state and offset belong into one record?",
        (
            Option(
                "because a crash fits between two writes",
                "Then one of them is older than the other, and events are counted twice or not at all.",
                right=True,
            ),
            Option("because one write is faster than two", "It is, and it would not be worth a rule."),
            Option(
                "because the offset is useless without the log",
                "The log is where it was. The question is what has been done with it.",
            ),
        ),
    ),
    Choice(
        "A worker was paused, its partitions were given away, and it wakes and commits. What keeps its commit out?",
        (
            Option(
                "a longer time-out, so that this cannot happen",
                "A longer pause can always happen. And the longer the time-out, the longer the partitions stand still.",
            ),
            Option(
                "an epoch that went up when the partition was given away",
                "Who writes with an older one is refused, however sure it is of itself. It is a fencing token.",
                right=True,
            ),
            Option(
                "the worker checks its clock before it commits",
                "It may be paused between the check and the commit.",
            ),
        ),
    ),
    Number(
        "Ten nodes hold keys by consistent hashing. An eleventh is added. About what share of the keys moves, in per cent?",
        9,
        0.5,
        "%",
        "One in eleven, all of them to the new node.",
        "The new node takes its fair share, and nothing else moves.",
        {
            91: "That is modulo's share. A ring moves only what the new node takes.",
            10: "Near: it is one of *eleven* nodes now.",
        },
    ),
)

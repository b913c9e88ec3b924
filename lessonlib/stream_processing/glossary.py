"""The terms of lesson 2, and what the engines call them. Each is defined where it is bold in the notebook."""

TERMS = {
    "partition": {
        "Kafka": "partition",
        "NATS JetStream": "stream, one of several by subject mapping",
        "RabbitMQ": "stream of a super stream",
        "Amazon SQS": "message group of a FIFO queue",
        "Apache Pulsar": "partition of a partitioned topic",
        "Flink": "subtask of a keyed stream",
    },
    "partitioner": {
        "Kafka": "partitioner",
        "NATS JetStream": "subject mapping with `partition(n, …)`",
        "RabbitMQ": "routing strategy of a super stream",
        "Apache Pulsar": "message router",
        "Flink": "`KeySelector` and key groups",
    },
    "processing window": {"Kafka": "`linger.ms`", "Flink": "`execution.buffer-timeout.interval`"},
    "batch": {
        "Kafka": "record batch (`batch.size`, `linger.ms`)",
        "NATS JetStream": "batch of a pull request",
        "Amazon SQS": "batch of up to ten messages",
        "Apache Pulsar": "batch message",
        "Flink": "network buffer (`execution.buffer-timeout.interval`)",
    },
    "key": {
        "Kafka": "record key",
        "NATS JetStream": "a token of the subject",
        "RabbitMQ": "routing key",
        "Amazon SQS": "`MessageGroupId`",
        "Apache Pulsar": "message key",
        "Flink": "key of `keyBy`",
        "CloudEvents": "the extension attribute `partitionkey`",
    },
    "backpressure": {
        "Kafka": "none needed: consumers poll (`pause` and `resume`)",
        "RabbitMQ": "flow control, prefetch",
        "NATS JetStream": "`MaxAckPending`",
        "Apache Pulsar": "permits of a consumer's receiver queue",
        "Flink": "backpressure, by credits",
    },
    "event time": {"Kafka Streams": "event time, by a `TimestampExtractor`", "Flink": "event time"},
    "processing time": {"Kafka Streams": "wall-clock time", "Flink": "processing time"},
    "window": {"Kafka Streams": "window", "Flink": "window"},
    "tumbling window": {"Kafka Streams": "tumbling window", "Flink": "tumbling window"},
    "sliding window": {
        "Kafka Streams": "hopping window (its sliding windows are something else)",
        "Flink": "sliding window; in SQL, `HOP`",
    },
    "session window": {"Kafka Streams": "session window, by its inactivity gap", "Flink": "session window"},
    "watermark": {"Kafka Streams": "none: stream time and grace", "Flink": "watermark"},
    "idleness": {
        "Kafka Streams": "none; `max.task.idle.ms` is how long a task waits for an empty partition",
        "Flink": "idleness (`withIdleness`)",
    },
    "late event": {"Kafka Streams": "late record", "Flink": "late element"},
    "allowed lateness": {"Kafka Streams": "grace period", "Flink": "allowed lateness"},
    "side output": {"Flink": "side output"},
    "checkpoint": {
        "Kafka Streams": "changelog and committed offsets; one transaction only with `exactly_once_v2`",
        "Flink": "checkpoint",
    },
    "consumer group": {
        "Kafka": "consumer group",
        "NATS JetStream": "clients of one durable consumer",
        "RabbitMQ": "single active consumer, one for each partition of a super stream",
        "Apache Pulsar": "subscription of type Failover or Key_Shared",
    },
    "coordinator": {"Kafka": "group coordinator", "Flink": "JobManager"},
    "rebalance": {"Kafka": "rebalance", "Kafka Streams": "rebalance", "Flink": "rescaling"},
    "sticky assignment": {
        "Kafka": "`CooperativeStickyAssignor`; `uniform`, in the `consumer` protocol of 4.0",
    },
    "warm copy": {"Kafka Streams": "standby replica (`num.standby.replicas`)"},
    "epoch": {
        "Kafka": "generation of the group (member epoch, in the `consumer` protocol); epoch of a producer or a leader",
        "Apache Pulsar": "epoch of an exclusive producer",
        "Flink": "attempt number; leader session id",
    },
    "consistent hashing": {"Apache Pulsar": "bundles of a namespace; consistent hashing in Key_Shared"},
    "weight": {},
    "fair share": {},
    "hot key": {"Kafka": "skewed key, hot partition", "Flink": "data skew"},
}

FORMS: dict[str, str] = {}

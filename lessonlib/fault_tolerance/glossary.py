"""The terms of lesson 3, and what the engines call them. Each is defined where it is bold in the notebook."""

TERMS = {
    "offered load": {},
    "served load": {},
    "Little's law": {},
    "backoff": {
        "gRPC": "`initialBackoff`, `backoffMultiplier`, `maxBackoff`",
        "resilience4j": "`IntervalFunction`",
        "Polly": "`BackoffType`",
        "Envoy": "`retry_back_off`",
        "AWS SDK": "exponential backoff",
        "tenacity": "`wait_exponential`",
    },
    "jitter": {
        "gRPC": "±20 % around the wait",
        "resilience4j": "`ofExponentialRandomBackoff`",
        "Polly": "`UseJitter`",
        "Envoy": "fully jittered, always",
        "AWS SDK": "full jitter, in the standard mode",
        "tenacity": "`wait_random_exponential`",
    },
    "deadline": {
        "gRPC": "deadline",
        "Polly": "a time-out outside of the retry",
        "Envoy": "`timeout` of a route (`per_try_timeout` is that of an attempt)",
        "AWS SDK": "API call time-out (*attempt* time-out is that of an attempt)",
        "tenacity": "`stop_after_delay`, looked at between attempts",
    },
    "pending": {},
    "circuit breaker": {
        "resilience4j": "CircuitBreaker",
        "Polly": "circuit breaker",
        "Envoy": "outlier detection (its *circuit breakers* are limits, as a bulkhead's)",
    },
    "half-open": {
        "resilience4j": "`HALF_OPEN`",
        "Polly": "half-open",
        "Envoy": "the return of an ejected host",
    },
    "failure rate": {
        "resilience4j": "`failureRateThreshold`, in percent",
        "Polly": "`FailureRatio`",
        "Envoy": "success rate or failure percentage, of a host",
    },
    "bulkhead": {
        "resilience4j": "Bulkhead",
        "Polly": "concurrency limiter",
        "Envoy": "circuit breakers: `max_connections`, `max_pending_requests`, `max_requests`",
    },
    "metastable failure": {},
    "retry budget": {
        "gRPC": "retry throttling",
        "Envoy": "`retry_budget`; without one, `max_retries` at a time",
        "AWS SDK": "retry quota",
    },
}
FORMS: dict[str, str] = {}

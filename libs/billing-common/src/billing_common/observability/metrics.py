"""Every metric name, once, with its labels and unit. Services only use what is declared here."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

GUARDRAIL_EVENTS: Final = Counter(
    "billing_guardrail_events_total",
    "A guardrail was touched; see docs/runbooks. One label: the canonical guardrail code.",
    ["code"],
)
WEBHOOKS_RECEIVED: Final = Counter(
    "billing_webhooks_received_total", "Webhook deliveries by answer.", ["outcome"]
)
WEBHOOK_DURABLE_SECONDS: Final = Histogram(
    "billing_webhook_durable_seconds",
    "From receiving a webhook to its acknowledgement by Kafka.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENTS_PROJECTED: Final = Counter(
    "billing_events_projected_total", "Stripe events by what projecting them led to.", ["outcome"]
)
PROJECTION_FRESHNESS_SECONDS: Final = Histogram(
    "billing_projection_freshness_seconds",
    "From the event's receipt by ingest to its commit in MySQL.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
PROJECTION_BATCH_EVENTS: Final = Histogram(
    "billing_projection_batch_events",
    "Events per projection transaction.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
COMMANDS_HANDLED: Final = Counter(
    "billing_commands_handled_total", "Commands by type and outcome.", ["type", "outcome"]
)
PROVIDER_CALL_SECONDS: Final = Histogram(
    "billing_provider_call_seconds",
    "Calls to the payment provider, by operation and certainty.",
    ["operation", "certainty"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
)
FENCED_WRITES: Final = Counter(
    "billing_fenced_writes_total",
    "Writes refused because their lease was no longer ours.",
    ["name"],
)
HTTP_REQUESTS: Final = Counter(
    "billing_http_requests_total", "Gateway answers by route and status.", ["route", "status"]
)
HTTP_SECONDS: Final = Histogram(
    "billing_http_request_seconds", "Gateway time to answer, by route.", ["route"]
)
RATE_LIMITED: Final = Counter(
    "billing_rate_limited_total", "Requests refused for coming too fast, by limit.", ["limit"]
)
FEED_PUBLISHED: Final = Counter(
    "billing_feed_published_total", "Feed messages acknowledged by Kafka.", ["topic"]
)
FEED_BACKLOG: Final = Gauge("billing_feed_backlog", "Feed messages committed but not published.")
DEAD_LETTERS: Final = Counter(
    "billing_dead_letters_total", "Messages given up, by topic and reason.", ["topic", "reason"]
)
PENDING_OPERATIONS: Final = Gauge(
    "billing_pending_operations", "Pending operations whose lease has ended."
)
FAILED_EVENTS: Final = Gauge("billing_failed_events", "Events waiting for another try.")
RECONCILIATION_RUNS: Final = Counter(
    "billing_reconciliation_runs_total", "Finished runs by scope and result.", ["scope", "result"]
)


def guardrail(code: str) -> None:
    """Count a touched guardrail. The codes are listed in docs/runbooks/guardrails.md."""
    GUARDRAIL_EVENTS.labels(code=code).inc()

"""The metrics of the gateway."""

from windmill.process.metric import Metric

GATEWAY_REQUESTS = Metric(
    "windmill_gateway_requests_total", "counter", "Requests that were answered", ("route", "method", "status")
)
GATEWAY_SECONDS = Metric(
    "windmill_gateway_request_seconds",
    "histogram",
    "From the head of a request to the end of its answer, but for streams",
    ("route",),
)
GATEWAY_STREAMS = Metric("windmill_gateway_streams", "gauge", "Streams of events that somebody reads now")

GATEWAY_METRICS = (GATEWAY_REQUESTS, GATEWAY_SECONDS, GATEWAY_STREAMS)

"""What the dashboard shows of the gateway."""

from deploy.grafana.panels import RATE, Panel, Section

SECONDS = f"rate(windmill_gateway_request_seconds_bucket{RATE})"

GATEWAY = Section(
    "Gateway",
    (
        Panel(
            "Requests",
            {"{{status}}": f"sum by (status) (rate(windmill_gateway_requests_total{RATE}))"},
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "A request takes, by route",
            {"{{route}} 95%": f"histogram_quantile(0.95, sum by (le, route) ({SECONDS}))"},
            unit="s",
            tells="Also what clients ask it to wait for with Prefer: wait=n.",
        ),
        Panel("Readers of events", {"streams": "sum(windmill_gateway_streams)"}),
    ),
)

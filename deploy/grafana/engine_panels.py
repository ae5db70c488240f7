"""What the dashboard shows of the engines of jobs."""

from deploy.grafana.panels import RATE, Panel, Section

FAILED = '{outcome="failed"}'

ENGINES = Section(
    "Engines",
    (
        Panel(
            "Breakers of engines",
            {"{{engine}}": "max by (engine) (windmill_engine_breaker_state)"},
            kind="state-timeline",
            mappings={0: ("closed", "green"), 1: ("half-open", "yellow"), 2: ("open", "red")},
        ),
        Panel(
            "What became of requests",
            {"{{engine}} {{outcome}}": f"sum by (engine, outcome) (rate(windmill_engine_calls_total{RATE}))"},
            unit="ops",
            tells="waiting: the services of the fleet look at its pictures, and it goes on when they have answered.",
        ),
        Panel(
            "Failed requests, by code",
            {"{{engine}} {{code}}": f"sum by (engine, code) (increase(windmill_engine_calls_total{FAILED}{RATE}))"},
            stacked=True,
        ),
        Panel(
            "A request takes",
            {
                f"{{{{engine}}}} {share:.0%}": (
                    f"histogram_quantile({share}, sum by (le, engine) (rate(windmill_engine_seconds_bucket{RATE})))"
                )
                for share in (0.5, 0.95)
            },
            unit="s",
            width=12,
        ),
        Panel(
            "Requests in hand, and addresses away",
            {
                "{{engine}}": "sum by (engine) (windmill_engine_running)",
                "{{engine}} away": "max by (engine) (windmill_engine_addresses_away)",
            },
            width=12,
        ),
    ),
)

"""What the dashboard shows of the steps of jobs."""

from deploy.grafana.panels import RATE, Panel, Section

FAILED = '{outcome="failed"}'

STEPS = Section(
    "Steps of jobs",
    (
        Panel(
            "What became of tasks",
            {"{{step}} {{outcome}}": f"sum by (step, outcome) (rate(windmill_step_tasks_total{RATE}))"},
            unit="ops",
            tells="returned: the worker stopped, or what the task needs was away; no try was counted.",
        ),
        Panel(
            "Failed for good, by code",
            {"{{step}} {{code}}": f"sum by (step, code) (increase(windmill_step_tasks_total{FAILED}{RATE}))"},
            stacked=True,
        ),
        Panel(
            "Work for each step",
            {"{{step}} {{state}}": "max by (step, state) (windmill_step_work)"},
            tells="In the whole fleet, counted up to 10,000. unplanned: jobs that wait for a worker to plan the step.",
        ),
        Panel(
            "Tasks that run, and slots for them",
            {
                "{{step}}": "sum by (step) (windmill_step_tasks_running)",
                "{{step}} slots": "sum by (step) (windmill_step_slots)",
            },
        ),
        Panel(
            "A claim takes",
            {
                f"{{{{step}}}} {share:.0%}": (
                    f"histogram_quantile({share}, sum by (le, step) (rate(windmill_step_claim_seconds_bucket{RATE})))"
                )
                for share in (0.5, 0.95)
            },
            unit="s",
        ),
        Panel(
            "Tokens, and tasks whose worker was lost",
            {
                "{{step}} {{direction}}": f"sum by (step, direction) (rate(windmill_step_tokens_total{RATE}))",
                "{{step}} lost": f"sum by (step) (increase(windmill_step_lost_leases_total{RATE}))",
            },
            tells="A token only says that there is work; what matters is that some come while work waits.",
        ),
    ),
)

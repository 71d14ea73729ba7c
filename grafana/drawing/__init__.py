"""Pictures of the dashboards, drawn with matplotlib from what a Prometheus answers."""

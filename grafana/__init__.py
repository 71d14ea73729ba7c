"""The dashboards of Grafana, generated from the table of metrics; see docs/dashboards.md."""

"""Pictures of the dashboards, drawn by the libraries that Grafana itself is made of; see CONTRIBUTING.md."""

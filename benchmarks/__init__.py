"""What the exporter costs, and what it withstands: commands that measure, in processes of their own."""

"""What a panel asks of a Prometheus, and what becomes of the answer before it is drawn."""

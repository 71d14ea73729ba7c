"""`python -m iometer_exporter` is the command `iometer-exporter`."""

from iometer_exporter.cli import main

main()

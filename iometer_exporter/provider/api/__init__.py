"""The vendor's cloud: its operations, what it answers, and how it is asked."""

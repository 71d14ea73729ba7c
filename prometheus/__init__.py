"""The alert and recording rules of this project as Python data, and what writes them as YAML."""

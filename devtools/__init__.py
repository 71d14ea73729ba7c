"""Programs as processes, for tests, benchmarks and previews: started, waited for and ended."""

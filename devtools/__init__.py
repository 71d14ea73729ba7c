"""Programs as processes, for tests, benchmarks and pictures: started, waited for and ended."""

"""Many runs by one command: sweeps and benchmarks."""

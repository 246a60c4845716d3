"""What any run stands on: processes, ranks, signals, devices, files, digests."""

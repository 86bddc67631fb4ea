"""What lessons mean: which speak of a situation, and which say the same."""

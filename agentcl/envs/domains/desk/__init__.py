"""A customers' desk: tickets in real language, under a policy that is told nowhere."""

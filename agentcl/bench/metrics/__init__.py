"""Measures of learning: pure functions over scores and costs (`docs/reference/metrics.md`)."""

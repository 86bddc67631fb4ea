"""Measures of learning: pure functions over scores and costs (`docs/metrics.md`)."""

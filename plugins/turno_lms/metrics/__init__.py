"""Figures of the warehouse for whoever watches the system: docs/metrics.md says what each means and what to do."""

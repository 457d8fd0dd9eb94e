"""When a repayment entered by hand and one that arrived by itself may be the same money."""

MANUAL_WINDOW_DAYS = 3
"""The same loan and amount within so many days hold each other until a person says whether they are different money."""

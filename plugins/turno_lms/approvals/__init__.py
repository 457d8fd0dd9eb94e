"""Approvals: a second person's word on figures, kept as data (docs/decisions/0013-approval-is-data.md)."""

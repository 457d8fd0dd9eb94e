"""Transaction reconciliation: what the files and the gateways say side by side, and what has no other side."""

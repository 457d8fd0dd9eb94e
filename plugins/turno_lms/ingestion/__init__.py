"""Lender files from S3 into RAW: every row in exactly one place, every rupee counted."""

"""Lender mappings: one YAML file is the whole onboarding of a lender."""

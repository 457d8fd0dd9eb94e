"""Resolutions: settlements, write-offs and foreclosures, from the quote to the verified end in Fineract."""

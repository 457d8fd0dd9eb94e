"""One rupee, one row: which sightings are one payment, frozen at first sight, and what a person decided about it."""

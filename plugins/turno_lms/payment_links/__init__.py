"""Payment links: quoted from Fineract, one live link for a loan, due and purpose, closed by the payment itself."""

"""The repayment ledger: claim, post, settle, and the proof that Fineract and the ledger agree."""

"""The demo: sample money from a lender's file and a gateway's webhook to Fineract, through the real scheduler."""

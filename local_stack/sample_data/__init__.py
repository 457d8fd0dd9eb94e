"""Sample data: a loan book, lender files with the mess that real ones have, and gateway payments.

Built by plain rules from the numbers in `book`, so every figure can be counted by hand: `expected` does so.
"""

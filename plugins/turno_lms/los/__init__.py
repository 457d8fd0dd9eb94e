"""Operations of the loan origination system; so far who may submit them (the receiver takes them in)."""

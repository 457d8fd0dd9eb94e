"""Operations of the loan origination system: who may submit them, how each is carried out, what became of it."""

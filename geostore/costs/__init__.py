"""What tokens cost and how much a run may still spend; pure, so a store is read elsewhere."""

"""One self-contained page of figures: what a store holds, drawn for colleagues."""

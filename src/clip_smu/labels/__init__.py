"""Labels: the MAAD form, public data sets, lists, and templates joined with labels by name."""

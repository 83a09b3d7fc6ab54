"""Composition root: builds the parts, starts them, stops them."""

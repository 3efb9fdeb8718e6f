"""Need nothing but Python."""

"""Jobs as people see them, and what people ask of them."""

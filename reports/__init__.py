"""What a study says in the morning: numbers, then figures, then pages."""

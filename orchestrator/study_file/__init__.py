"""What a study file asks for: the YAML read, composed, checked, every mistake said at once."""

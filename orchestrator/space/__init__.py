"""The search space: domains, conditions, constraints; draws configs and says what is wrong with one."""

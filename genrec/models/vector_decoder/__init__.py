"""A decoder over items whose scores add what was learned to what the items' vectors say of a history."""

"""What ships for tests: contracts to inherit, fakes as strict as the real thing, factories."""

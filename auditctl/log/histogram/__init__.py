"""Events over time, for a chart."""

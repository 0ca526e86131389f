"""The log by transaction: which transactions have the selected events, how many, and what they did."""

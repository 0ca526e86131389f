-- READ, business events and retention, and events that cost less.

-- What follows stands in sql/schema, as it is now.

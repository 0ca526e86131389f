"""What pages are made of: templates, rows, chips and charts."""

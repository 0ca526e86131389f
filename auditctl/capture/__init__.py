"""Capture: from rules and the catalog to a plan, from the plan to SQL, from SQL to triggers."""

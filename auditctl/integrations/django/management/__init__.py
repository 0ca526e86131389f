"""Commands of Django that know what models declare about auditing."""

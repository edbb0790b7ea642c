"""From scans to a searchable bundle."""

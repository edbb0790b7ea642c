"""What is printed.

sheet
    one A4 page, drawn in memory, that never runs over its edge
share page
    a custodian's share of a key, on one sheet
"""

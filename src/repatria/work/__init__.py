"""What runs the work of either half of Repatria.

State folder   what one machine remembers between runs, each dataset in a folder of its own; see `state`
lock           one run a dataset at a time
journal        the SQLite file that says which volumes are sent, which are proven, and what is known of the dataset
sent           a volume whose digests and rows the journal holds; its bytes may be at the target or not
proven         a volume whose bytes the target gave back
given up       a volume number that is never used again; what it held is planned again
catalogue      the dataset as its last finished bundle left it: keyed hashes of paths, fingerprints, object numbers
bundle run     a bundle in the making, by a copy or by digitisation; a later run of the same bundle goes on with it
stop           the wish to end soon and resumably: a signal, Ctrl-C, the end of a window
pace           how fast and when bytes may flow
patience       how long a lost link is waited for
audit          the hash-chained log of what was done
"""

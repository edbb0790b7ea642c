"""Proof that a bundle is what it was.

- *verdict*: a finding with the exit code it asks for.
- *seen*: a finished bundle as its folder shows it, its statement authentic or not.
- *line*: the bundles of a chain that are verified, the oldest first.
- *shallow* verification hashes every file and needs no key; *deep* opens volumes and hashes every object.
- *trust*: who may sign for a dataset, and what was last seen of it.

`chain` and `structure` are rules without IO; `fixity` and `deep` read; `dataset` brings them in order.
"""

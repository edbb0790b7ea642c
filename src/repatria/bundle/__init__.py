"""The bundle, format 1 (docs/formats/).

- *volume*: a tar of whole objects or parts, padded, one age file; made by `volume`, of the headers in `tar`.
- *member*: an object or part inside a volume; its name is given by `names`.
- *index*: the SQLite database over a closed range of volumes; `index` builds and opens it, `vfs` is all that SQLite
  sees of the world, `schema` and `rows` say what it holds.
- *statement*, *checkpoint*: the signed JSON of a finished and of an unfinished bundle; `merkle` gives the root.
- *tag files*: everything of the bag that is not payload; `layout`, `readme` and `closing` make them.
- *writer* puts the files of one bundle; *reader* reads one, *chain* the line of those that follow each other, and
  *catalogue* lists what lies at a target without a key.
"""

"""Places for bytes by URI.

Store       lists, reads, puts and deletes objects by path: `base.Store` is the contract, `open_store(uri)` gives one
root        where a store's paths begin: a folder, or a bucket and a key prefix
path        relative to the root, `/` between components; a file system holds fewer paths than an object store does
version     what changes when an object's bytes change; a read pinned to one fails rather than mix two
aside       `.repatria-tmp/` under the root of a folder-like store: files lie there until they are whole, never listed
"""

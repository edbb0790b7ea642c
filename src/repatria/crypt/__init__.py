"""The age format, its keys, and SSH signatures; knows nothing of stores.

Words of the age specification (https://c2sp.org/age) as used in these modules:

- *file key*: 16 random bytes, fresh for every file.
- *recipient*, *identity*: the public and the private key; a recipient *wraps* the file key, an identity *unwraps* it.
- *stanza*: one wrapped file key in the header, with the arguments its type needs.
- *header*: version line, stanzas and a MAC under the file key.
- *head*: the header and the 16-byte nonce after it, everything before the first chunk (`docs/formats/bundle.md`).
- *payload*: the plaintext, sealed in *chunks* of 64 KiB, each with its own tag.
- *armor*: the same file as PEM text.

Of SLIP-0039: a *share* is one custodian's 33 *words*; a *set* is the shares of one splitting, of which any *threshold*
give the identity back.

And of OpenSSH: a *signer* is the private Ed25519 key, a *signing key* its public half; *allowed signers* is the file
that says which principal holds which key; the *namespace* says what a signature is for.
"""

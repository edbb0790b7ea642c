"""README.txt of a bundle: in French, then in English, what a stranger needs to verify and open it with stock tools."""

from repatria.bundle.statement import Statement

_FRENCH = """\
{title}
{rule}

Ceci est un lot de données chiffrées, produit par {tool}.
Jeu de données : {dataset}        Lot : {bundle}
Signé par la clé : {fingerprint}

VÉRIFIER, sans aucune clé de déchiffrement
Outils : sha256sum (GNU coreutils), ssh-keygen (OpenSSH 8.2 ou plus récent). Dans ce dossier :

1. Chaque fichier est-il ce qu'il était ?
       sha256sum -c tagmanifest-sha256.txt
       sha256sum -c manifest-sha256.txt
2. Qui l'a signé ? Le fichier `allowed_signers` (une ligne : nom, espace, clé publique) vient du signataire, par un
   autre canal que ce dossier :
       ssh-keygen -Y verify -f allowed_signers -n repatria -s statement.json.sig \\
           -I "$(ssh-keygen -Y find-principals -f allowed_signers -s statement.json.sig)" < statement.json
3. La déclaration signée désigne-t-elle bien ces fichiers ? Quatre lignes « oui » doivent s'afficher :
       for f in manifest-sha256.txt bagit.txt bag-info.txt README.txt; do
         grep -q "$(sha256sum < "$f" | cut -c1-64)" statement.json && echo "oui  $f" || echo "NON  $f"
       done

OUVRIR, avec une identité age (la clé privée, ici IDENTITE)
Outils : age {age_version} ou plus récent, GNU tar 1.14, sqlite3 3.34 ou plus récents. Dépaqueter chaque lot
dans un dossier à lui : ce qui s'y trouve ensuite est EN CLAIR.
       set -o pipefail; mkdir clair
       for v in data/vol-*.tar.age; do age -d -i IDENTITE "$v" | tar -xi -C clair || break; done
   L'option -i de tar est nécessaire. tar signale qu'il ignore REPATRIA.path ou hdrcharset : ce n'est pas une erreur.
   Un grand objet est coupé en parties :    cat NOM.part-* > NOM
   Un objet dont le nom ne convient à aucun disque est dans `_names` ; son vrai nom est dans l'index.
   L'index dit tout de chaque objet (chemin, taille, sha256, dates) :
       age -d -i IDENTITE data/index-0001.db.age > index.db
       sqlite3 index.db "SELECT number, path, size, hex(sha256) FROM objects"
{french_chain}"""

_FRENCH_FULL = """\
   Ce lot est le premier de son jeu de données : il contient tout ce qui existait alors.
"""
_FRENCH_DELTA = """\
   Ce lot suit le lot {previous} : il ne contient que ce qui a changé depuis. Ce qui a disparu
   est dans la table `tombstones` de l'index.
"""

_ENGLISH = """\
{title}
{rule}

This is a bundle of encrypted data, made by {tool}.
Dataset: {dataset}        Bundle: {bundle}
Signed by the key: {fingerprint}

VERIFY, without any decryption key
Tools: sha256sum (GNU coreutils), ssh-keygen (OpenSSH 8.2 or later). In this folder:

1. Is every file what it was?
       sha256sum -c tagmanifest-sha256.txt
       sha256sum -c manifest-sha256.txt
2. Who signed it? The file `allowed_signers` (one line: name, space, public key) comes from the signer, by another
   way than this folder:
       ssh-keygen -Y verify -f allowed_signers -n repatria -s statement.json.sig \\
           -I "$(ssh-keygen -Y find-principals -f allowed_signers -s statement.json.sig)" < statement.json
3. Does the signed statement name these very files? Four lines must say "yes":
       for f in manifest-sha256.txt bagit.txt bag-info.txt README.txt; do
         grep -q "$(sha256sum < "$f" | cut -c1-64)" statement.json && echo "yes  $f" || echo "NO   $f"
       done

OPEN, with an age identity (the private key, here IDENTITY)
Tools: age {age_version} or later, GNU tar 1.14, sqlite3 3.34 or later. Unpack each bundle into a folder of its
own: what is there afterwards is IN CLEAR.
       set -o pipefail; mkdir clear
       for v in data/vol-*.tar.age; do age -d -i IDENTITY "$v" | tar -xi -C clear || break; done
   tar needs its option -i. It says that it ignores REPATRIA.path or hdrcharset: that is no error.
   A large object is cut into parts:    cat NAME.part-* > NAME
   An object whose name suits no disk is in `_names`; its true name is in the index.
   The index tells everything of each object (path, size, sha256, times):
       age -d -i IDENTITY data/index-0001.db.age > index.db
       sqlite3 index.db "SELECT number, path, size, hex(sha256) FROM objects"
{english_chain}"""

_ENGLISH_FULL = """\
   This bundle is the first of its dataset: it holds all that there was then.
"""
_ENGLISH_DELTA = """\
   This bundle follows the bundle {previous}: it holds only what changed since. What vanished
   is in the table `tombstones` of the index.
"""


def readme_text(statement: Statement, fingerprint: str) -> bytes:
    """Return README.txt for the bundle of `statement`, signed by the key of `fingerprint`."""
    hybrid = any(recipient.startswith("age1pq1") for recipient in statement.recipients)
    title = " ".join((statement.dataset.title or statement.dataset.id).split())
    previous = statement.previous.bundle if statement.previous else ""
    facts = {
        "title": title,
        "rule": "=" * len(title),
        "tool": statement.tool,
        "dataset": statement.dataset.id,
        "bundle": statement.bundle,
        "fingerprint": fingerprint,
        "age_version": "1.3" if hybrid else "1.0",
        "french_chain": _FRENCH_DELTA.format(previous=previous) if previous else _FRENCH_FULL,
        "english_chain": _ENGLISH_DELTA.format(previous=previous) if previous else _ENGLISH_FULL,
    }
    return (_FRENCH.format(**facts) + "\n" + _ENGLISH.format(**facts)).encode()

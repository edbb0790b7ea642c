# A small dataset, keys and a manifest, made without a word.
set -e
mkdir -p source/dossiers source/quarantaine
printf 'Compte rendu.\n' >source/dossiers/P000123.txt
printf 'numero;nom;ddn\nP000123;Diop;1971-02-28\n' >'source/registre des patients.csv'
printf 'Reçu.\n' >'source/reçu n° 5.txt'
head -c 3000000 /dev/zero | tr '\0' 'x' >source/base.sql
ln -s dossiers/P000123.txt source/dernier
find source -exec touch -h -d '2024-01-30T08:00:00Z' {} +
repatria keys new -o key --quiet >/dev/null
repatria keys signer -o signer --name migration@ministere --quiet >signers
cat >fann.toml <<END
id = "fann"
title = "Fichiers du CHU de Fann"
owner = "CHU de Fann"
hosted_in = "FR"
sensitivity = "health"
[[source]]
uri = "source"
[target]
uri = "vault"
[encryption]
recipients = ["key.pub"]
signer = "signer"
[transfer]
volume_size = "1MiB"
END

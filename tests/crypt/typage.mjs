// The other implementation of hybrid age files, driven by lines of JSON on stdin: one answer a line on stdout.
import { createInterface } from "node:readline";
import { Decrypter, Encrypter, armor, generateHybridIdentity, identityToRecipient } from "age-encryption";

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (bytes) => Buffer.from(bytes).toString("base64");

const verbs = {
  async generate() {
    const identity = await generateHybridIdentity();
    return { identity, recipient: await identityToRecipient(identity) };
  },
  async recipient({ identity }) {
    return { recipient: await identityToRecipient(identity) };
  },
  async encrypt({ recipients, payload, armored }) {
    const encrypter = new Encrypter();
    for (const recipient of recipients) encrypter.addRecipient(recipient);
    const file = await encrypter.encrypt(bytes(payload));
    return { file: armored ? text(Buffer.from(armor.encode(file))) : text(file) };
  },
  async decrypt({ identity, file, armored }) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const raw = armored ? armor.decode(Buffer.from(file, "base64").toString()) : bytes(file);
    return { payload: text(await decrypter.decrypt(raw)) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...fields } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await verbs[verb](fields)));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}

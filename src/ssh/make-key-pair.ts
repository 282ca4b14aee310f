import ssh2 from 'ssh2';

/** An ed25519 key pair: the private half in OpenSSH's file format, the public half as `ssh-ed25519 AAAA…` without a comment. */
export interface SshKeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** `ssh-ed25519` and the 32 bytes of the key, each after its length. */
const publicKeyBytes = 4 + 11 + 4 + 32;

/** Makes a fresh key pair; takes a fraction of a millisecond. */
export function makeKeyPair(): SshKeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const publicKey = pair.public.trim();
    // ssh2 1.17 drops leading zero bytes of the public key, so one pair of 256 is unusable.
    if (decodePublicKey(publicKey).length === publicKeyBytes) return { privateKey: pair.private, publicKey };
  }
}

/** The key as it travels on the wire, out of its `ssh-ed25519 AAAA…` form. */
export function decodePublicKey(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
}

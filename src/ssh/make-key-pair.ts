import ssh2 from 'ssh2';

/** An ed25519 key pair: the private half in OpenSSH's file format, the public half as `ssh-ed25519 AAAA…` without a comment. */
export interface SshKeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Makes a fresh key pair; takes a fraction of a millisecond. */
export function makeKeyPair(): SshKeyPair {
  const pair = ssh2.utils.generateKeyPairSync('ed25519');
  return { privateKey: pair.private, publicKey: pair.public.trim() };
}

/** The key as it travels on the wire, out of its `ssh-ed25519 AAAA…` form. */
export function decodePublicKey(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
}

import type { Algorithms } from 'ssh2';

/**
 * Both ends are ours and start together, so there is nothing to negotiate: one modern choice for each purpose.
 * AES-GCM leads because OpenSSL does it natively; an image's own OpenSSH client finds these too.
 */
export const sshAlgorithms: Algorithms = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org'],
  serverHostKey: ['ssh-ed25519'],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-256'],
  compress: ['none'],
};

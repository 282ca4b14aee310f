import { expect, it } from 'vitest';
import { publicKeySchema } from '../../../src/contract/agent-protocol.ts';
import { makeKeyPair } from '../../../src/ssh/make-key-pair.ts';

it('makes a usable pair every time, also where the library drops a leading zero of the key', () => {
  // One pair of 256 begins with a zero byte: among two thousand some do.
  for (let count = 0; count < 2000; count++)
    expect(publicKeySchema.safeParse(makeKeyPair().publicKey).success).toBe(true);
});

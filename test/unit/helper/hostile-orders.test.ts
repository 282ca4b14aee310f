import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { receiveOrders } from '../../../src/helper/keeper/receive-orders.ts';

async function refusalOf(...chunks: readonly Buffer[]): Promise<unknown> {
  const input = new PassThrough();
  const orders = receiveOrders(input, 1000);
  for (const chunk of chunks) input.write(chunk);
  try {
    return await orders.request.catch((error: unknown) => error);
  } finally {
    orders.close();
  }
}

const tooLong = { code: 'USAGE', message: 'The request is longer than 1 MiB.' };

describe('the request on standard input', () => {
  it('is refused when it never ends', async () => {
    const piece = Buffer.alloc(65_536, 'x');
    expect(await refusalOf(...Array.from({ length: 20 }, () => piece))).toMatchObject(tooLong);
  });

  it('is refused when its bytes are no text and would take three times their room', async () => {
    expect(await refusalOf(Buffer.alloc(500_000, 0xff), Buffer.from('\n'))).toMatchObject(tooLong);
  });

  it('is taken up to its limit', async () => {
    expect(await refusalOf(Buffer.from(`"${'x'.repeat(1_000_000)}"\n`))).toHaveLength(1_000_002);
  });
});

describe('what the launcher is said to have said', () => {
  it('holds nothing that a terminal obeys', async () => {
    const input = new PassThrough();
    const orders = receiveOrders(input, 1000);
    const detail = 'a\u001b[2Jb\u009b31mc\nd\u202ee';
    input.write(`{}\n${JSON.stringify({ order: 'launcher-ended', status: 1, detail })}\n`);
    await orders.request;
    await new Promise(setImmediate);
    expect((orders.cancelled.reason as Error).message).toContain('a [2Jb 31mc d e.');
    orders.close();
  });
});

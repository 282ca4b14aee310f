import { describe, expect, it, vi } from 'vitest';
import { PeerBook } from '../../../src/discovery/meet/peer-book.ts';

const keyOf = (index: number): string => `ssh-ed25519 ${String(index).padStart(68, 'A')}`;
const keys = (index: number) => ({ sshPublicKey: keyOf(index), hostPublicKey: keyOf(index + 100) });
const places = Array.from({ length: 12 }, (_, index) => ({
  index,
  hostname: `772-node-${index}`,
  ip: `10.128.0.${index + 1}`,
  slots: 1,
}));
const large = places.map((place) => (place.index === 0 ? { ...place, ...keys(0) } : place));

function openBook() {
  const asked: (number | undefined)[] = [];
  return { asked, book: new PeerBook(large, (index) => void asked.push(index)) };
}

describe('PeerBook', () => {
  it('lets every key of a job in that knows all of them, from wherever it comes', async () => {
    const book = new PeerBook(
      places.map((place) => ({ ...place, ...keys(place.index) })),
      () => expect.unreachable(),
    );
    expect(await book.keysFrom('127.0.0.1')).toEqual(places.map(({ index }) => keyOf(index)));
    expect(await book.keysOf(places[3]!)).toMatchObject(keys(3));
  });

  it('asks for the key of who logs in, by the address', async () => {
    const { asked, book } = openBook();
    expect(await book.keysFrom('10.128.0.1')).toEqual([keyOf(0)]);
    const waiting = book.keysFrom('10.128.0.8');
    await vi.waitFor(() => expect(asked).toEqual([7]));
    book.take([{ index: 7, ...keys(7) }]);
    expect(await waiting).toEqual([keyOf(7)]);
    expect(book.known[7]).toMatchObject(keys(7));
  });

  it('lets nobody in by another node’s address: an unknown one has the known keys alone', async () => {
    expect(await openBook().book.keysFrom('10.1.1.1')).toEqual([keyOf(0)]);
  });

  it('asks once for each, and for all at once when there are many', async () => {
    const { asked, book } = openBook();
    const waiting = [...places, ...places].map(async (place) => await book.keysOf(place));
    await vi.waitFor(() => expect(asked).toEqual([1, 2, 3, 4, 5, 6, 7, 8, undefined]));
    book.take(places.map(({ index }) => ({ index, ...keys(index) })));
    expect(await Promise.all(waiting)).toHaveLength(24);
    expect(book.isWhole).toBe(true);
  });

  it('fails in words that name the node when nobody answers', async () => {
    vi.useFakeTimers();
    try {
      const waiting = openBook().book.keysOf(places[4]!);
      const failure = expect(waiting).rejects.toThrow('the keys of 772-node-4 are not known yet');
      await vi.advanceTimersByTimeAsync(11_000);
      await failure;
    } finally {
      vi.useRealTimers();
    }
  });
});

import { describe, expect, it } from 'vitest';
import { Gate } from './gate.js';

const held = () => Promise.withResolvers<void>();

describe('a gate', () => {
  it('lets a few in, the next in order, and refuses who finds too many waiting', async () => {
    const gate = new Gate('things', 2, 2, 10_000);
    const ends = [held(), held(), held(), held()];
    const begun: number[] = [];
    const runs = ends.map((end, at) =>
      gate.run(async () => {
        begun.push(at);
        await end.promise;
      }),
    );
    await expect(gate.run(async () => undefined)).rejects.toMatchObject({ code: 'http.busy', status: 503 });
    expect(begun).toEqual([0, 1]);
    ends[1]!.resolve();
    await runs[1];
    await Promise.resolve();
    expect(begun).toEqual([0, 1, 2]);
    for (const end of ends) end.resolve();
    await Promise.all(runs);
    expect(begun).toEqual([0, 1, 2, 3]);
    expect(await gate.run(async () => 'free again')).toBe('free again');
  });

  it('refuses whose turn does not come in time, and lets no place go to waste by what throws', async () => {
    const gate = new Gate('things', 1, 5, 5);
    const end = held();
    const first = gate.run(() => end.promise);
    await expect(gate.run(async () => undefined)).rejects.toMatchObject({ code: 'http.busy' });
    end.resolve();
    await first;
    await expect(gate.run(async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate.run(async () => 1)).toBe(1);
  });
});

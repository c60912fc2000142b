import { describe, expect, it } from 'vitest';
import { FrameError } from '../connectors/connector.js';
import { fearGreed } from './fear-greed.js';

const DAY_MS = 86_400_000;
const index = fearGreed('https://api.alternative.me/fng/', 3_600_000);
const body = (data: unknown, error: string | null = null): string =>
  JSON.stringify({ name: 'Fear and Greed Index', data, metadata: { error } });

describe('the Fear & Greed index', () => {
  it('is read with its own times, from the answer of the documentation', () => {
    const { observations, refused } = index.parse(
      body([
        { value: '40', value_classification: 'Fear', timestamp: '1551157200', time_until_update: '68499' },
        { value: '47', value_classification: 'Neutral', timestamp: '1551070800' },
      ]),
    );
    expect(observations).toEqual([
      { value: '40', observedAtUs: 1_551_157_200_000_000 },
      { value: '47', observedAtUs: 1_551_070_800_000_000 },
    ]);
    expect(refused).toEqual([]);
  });

  it('is asked for a month at start, then for as many days as it may have missed', () => {
    const asked = [undefined, 3_600_000, 9.5 * DAY_MS, 5000 * DAY_MS].map((ago) => index.request(ago).url);
    expect(asked.map((url) => new URL(url).searchParams.get('limit'))).toEqual(['30', '3', '12', '365']);
    expect(asked[0]).toBe('https://api.alternative.me/fng/?limit=30&format=json');
  });

  it('keeps the good rows of an answer with bad ones', () => {
    const { observations, refused } = index.parse(
      body([
        { value: '0', timestamp: '1551157200' },
        { value: '40', timestamp: '1551070800' },
        { value: '40' },
        { timestamp: '1' },
        null,
        'x',
      ]),
    );
    expect(observations).toHaveLength(1);
    expect(refused).toHaveLength(5);
  });

  it.each([
    ['no JSON', '<html>'],
    ['no object', 'null'],
    ['no list', body({})],
    ['an error of the source', body([], 'Too many requests')],
  ])('refuses an answer that is %s', (_what, raw) => expect(() => index.parse(raw)).toThrow(FrameError));
});

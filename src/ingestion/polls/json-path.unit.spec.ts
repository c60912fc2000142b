import { describe, expect, it } from 'vitest';
import { readSettings } from '../../platform/config/index.js';
import { FrameError } from '../connectors/connector.js';
import { jsonPathPoll } from './json-path.js';
import type { Poll } from './poll.js';

function poll(paths: Record<string, string>): Poll {
  const entry = { symbol: 'EURUSD', url: 'https://rates.example/v1', every: '1m', headers: { 'X-Key': 'k' }, ...paths };
  return jsonPathPoll(readSettings({ FEEDS: 'poll', POLLS: JSON.stringify([entry]) }).POLLS[0]!);
}

describe('a poll by JSONPath', () => {
  it('asks for the address of its setting, with its headers', () => {
    const { request, exchange, symbol, everyMs } = poll({ value: '$.x' });
    expect(request(undefined)).toEqual({ url: 'https://rates.example/v1', headers: { 'X-Key': 'k' } });
    expect([exchange, symbol, everyMs]).toEqual(['rates.example', 'EURUSD', 60_000]);
  });

  it('reads a value exactly as it stands there, a number or the text of one', () => {
    const { parse } = poll({ value: '$.rates.USD' });
    expect(parse('{"rates":{"USD":1.08500000000000000001}}').observations).toEqual([
      { value: '1.08500000000000000001' },
    ]);
    expect(parse('{"rates":{"USD":"1.0850"}}').observations).toEqual([{ value: '1.085' }]);
    expect(parse('{"rates":{"USD":1.5e-7}}').observations).toEqual([{ value: '0.00000015' }]);
  });

  it('reads the time beside it', () => {
    const { parse } = poll({ value: '$.rates.USD', time: '$.date' });
    expect(parse('{"date":"2026-08-07","rates":{"USD":1.1}}').observations).toEqual([
      { value: '1.1', observedAtUs: Date.UTC(2026, 7, 7) * 1000 },
    ]);
  });

  it('reads a whole history', () => {
    const { parse } = poll({ value: '$[*][1]', time: '$[*][0]', timeUnit: 'ms' });
    expect(parse('[[1551139200000,5],[1551139260000,6.0]]').observations).toEqual([
      { value: '5', observedAtUs: 1_551_139_200_000_000 },
      { value: '6', observedAtUs: 1_551_139_260_000_000 },
    ]);
  });

  it('compares numbers in a filter as numbers', () => {
    const { parse } = poll({ value: '$.quotes[?@.id == 5 && @.depth > 9].bid' });
    expect(parse('{"quotes":[{"id":5,"depth":10.5,"bid":1.10},{"id":50,"depth":99,"bid":2}]}').observations).toEqual([
      { value: '1.1' },
    ]);
  });

  it.each([['null'], ['0'], ['-3'], ['true'], ['"n/a"'], ['{}'], ['1e90']])('refuses the value %s alone', (value) => {
    const { observations, refused } = poll({ value: '$.v' }).parse(`{"v":${value}}`);
    expect([observations, refused.length]).toEqual([[], 1]);
  });

  it('refuses a value whose time cannot be read, and keeps the others', () => {
    const { observations, refused } = poll({ value: '$[*].v', time: '$[*].t' }).parse(
      '[{"v":1,"t":"soon"},{"v":2,"t":1551139200}]',
    );
    expect([observations, refused.length]).toEqual([[{ value: '2', observedAtUs: 1_551_139_200_000_000 }], 1]);
  });

  it.each([
    ['is no JSON', '{', { value: '$.v' }],
    ['lacks the value', '{"error":"limit reached"}', { value: '$.v' }],
    ['has several values without times', '[1,2]', { value: '$[*]' }],
    ['has fewer times than values', '{"v":[1,2],"t":[1551139200]}', { value: '$.v[*]', time: '$.t[*]' }],
    ['has too many values', JSON.stringify(Array(1001).fill(5)), { value: '$[*]', time: '$[*]' }],
    ['is nested too deeply to search', '['.repeat(200) + ']'.repeat(200), { value: '$..v' }],
  ])('refuses an answer that %s', (_what, body, paths) => {
    expect(() => poll(paths as unknown as Record<string, string>).parse(body)).toThrow(FrameError);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { formatInstant, parseInstant } from './instant.js';

/** 1900 to 2200. */
const instant = fc.integer({ min: -2_208_988_800_000_000, max: 7_258_118_400_000_000 });

describe('instants', () => {
  it('go to text and back without losing a microsecond', () => {
    fc.assert(
      fc.property(instant, (us) => {
        expect(parseInstant(formatInstant(us))).toBe(us);
      }),
      { numRuns: 500 },
    );
  });

  it('are RFC 3339 in UTC with no, three or six decimals', () => {
    expect(formatInstant(1_786_309_548_167_634)).toBe('2026-08-09T21:05:48.167634Z');
    expect(formatInstant(1_786_309_548_167_000)).toBe('2026-08-09T21:05:48.167Z');
    expect(formatInstant(1_786_309_548_000_001)).toBe('2026-08-09T21:05:48.000001Z');
    expect(formatInstant(1_786_309_548_000_000)).toBe('2026-08-09T21:05:48Z');
    fc.assert(
      fc.property(instant, (us) => {
        expect(formatInstant(us)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z$/);
      }),
    );
  });

  it('agree with the milliseconds of Date', () => {
    fc.assert(
      fc.property(fc.integer({ min: -2_208_988_800_000, max: 7_258_118_400_000 }), (ms) => {
        expect(formatInstant(ms * 1000)).toBe(new Date(ms).toISOString().replace('.000Z', 'Z'));
      }),
    );
  });

  it('sort as text when they are of one second and one precision, and stay right when the second changes to and fro', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 999_999, 1_000_000, 1_999_999, -1), { maxLength: 20 }), (list) => {
        expect(list.map(formatInstant).map(parseInstant)).toEqual(list);
      }),
    );
  });

  it('before 1970 are told by the very first call', async () => {
    vi.resetModules();
    const fresh = await import('./instant.js');
    expect(fresh.formatInstant(-500_000)).toBe('1969-12-31T23:59:59.500Z');
  });
});

describe('reading an instant', () => {
  it.each([
    ['2026-08-09T21:05:48Z', 1_786_309_548_000_000],
    ['2026-08-09t21:05:48z', 1_786_309_548_000_000],
    ['2026-08-09 21:05:48Z', 1_786_309_548_000_000],
    ['2026-08-09T23:05:48+02:00', 1_786_309_548_000_000],
    ['2026-08-09T15:35:48-05:30', 1_786_309_548_000_000],
    ['2026-08-10T00:05:48.5+03:00', 1_786_309_548_500_000],
    ['2026-08-09T21:05:48.1676Z', 1_786_309_548_167_600],
    ['2026-08-09T21:05:48.167634999Z', 1_786_309_548_167_634],
    ['1969-12-31T23:59:59.5Z', -500_000],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000],
  ])('takes %s', (text, us) => expect(parseInstant(text)).toBe(us));

  it.each([
    '',
    'now',
    '1786309548',
    '2026-08-09',
    '2026-08-09T21:05Z',
    '2026-08-09T21:05:48',
    '2026-08-09T21:05:48.Z',
    '2026-08-09T21:05:48+0200',
    '2026-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-08-32T00:00:00Z',
    '2026-08-09T24:00:00Z',
    '2026-08-09T25:00:00Z',
    '2026-08-09T21:60:00Z',
    '2026-08-09T21:05:60Z',
    '2026-08-09T21:05:48+25:00',
    '2026-08-09T21:05:48Z\n',
    ' 2026-08-09T21:05:48Z',
  ])('refuses %j', (text) => expect(parseInstant(text)).toBeUndefined());
});

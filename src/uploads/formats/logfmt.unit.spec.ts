import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogLine, Reading, ReadOptions } from './format.js';
import { logfmt, pairsOf } from './logfmt.js';

const options: ReadOptions = { receivedAtUs: Date.parse('2024-08-10T00:00:00Z') * 1000, offsetMinutes: 0 };
const read = (text: string): Reading => logfmt.read(text, null, options, 1);
const event = (text: string): LogLine => {
  const reading = read(text);
  if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};

describe('logfmt', () => {
  it('finds level, time, message and trace id, and keeps the rest as text', () => {
    expect(
      event('ts=2024-08-09T00:05:04.123Z level=warn msg="it \\"is\\" slow" traceId=4bf9 ms=012 ok=true cached'),
    ).toEqual({
      atUs: Date.parse('2024-08-09T00:05:04.123Z') * 1000,
      level: 'warn',
      message: 'it "is" slow',
      traceId: '4bf9',
      fields: { ms: '012', ok: true, cached: true },
    });
  });

  it('keeps all values of a key that comes twice', () => {
    expect(event('a=1 b=2 a=3 a msg=x msg=y __proto__=z __proto__=w')).toEqual({
      message: 'x',
      fields: JSON.parse('{"a":["1","3",true],"b":"2","msg":"y","__proto__":["z","w"]}') as object,
    });
  });

  it('tells an empty value from a bare key, and quoted truth from truth', () => {
    expect(event('a= b c="" d="true" e=false').fields).toEqual({ a: '', b: true, c: '', d: 'true', e: false });
  });

  it.each([
    [String.raw`a="\u0041\n\t\\\/\"\'"`, 'A\n\t\\/"\''],
    [String.raw`a="\ud83d\ude00"`, '😀'],
    ['a="ta\tb"', 'ta\tb'],
    ['a=ƒ%^/x', 'ƒ%^/x'],
  ])('reads %s', (line, value) => expect(event(line).fields).toEqual({ a: value }));

  it('reads back what a writer quotes', () => {
    const key = fc.stringMatching(/^[a-z_.]{1,8}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.oneof(fc.string({ unit: 'binary' }), fc.boolean()))), (pairs) => {
        const line = pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ');
        expect(pairsOf(line)).toEqual({ pairs, bareKeys: 0 });
      }),
    );
  });

  it('passes over blank lines, and refuses a line without any pair', () => {
    expect(read(' \t')).toEqual({ kind: 'nothing' });
    expect(read('panic: runtime error')).toEqual({ kind: 'bad', message: 'it has no key=value' });
  });

  it.each([
    ['a=1 =b', "unexpected '='", 5],
    ['"a"=1', `unexpected '"'`, 1],
    ['a=b"c', `unexpected '"'`, 4],
    ['a=b=c', "unexpected '='", 4],
    ['a="b', 'unterminated quoted value', 5],
    [String.raw`a="\q" b`, 'invalid quoted value', 7],
    [String.raw`a="\u12g4"`, 'invalid quoted value', 11],
  ])('refuses %s', (line, message, column) => expect(read(line)).toEqual({ kind: 'bad', message, column }));

  it('likes pairs, most of all with usual keys', () => {
    const likeness = logfmt.likeness;
    expect(likeness('level=info msg=x')).toBe(0.9);
    expect(likeness('a=1 b=2')).toBe(0.7);
    expect(likeness('a=1')).toBe(0.4);
    expect(likeness('we set a=1 and b=2 here')).toBeLessThan(0.3);
    expect(likeness('hello world')).toBe(0);
    expect(likeness('1.2.3.4 - - [09/Aug/2024:00:05:04 +0000] "GET /?a=b HTTP/1.1" 200 1')).toBe(0);
  });
});

const VECTORS = join(import.meta.dirname, '../../../../shared/data/vectors/logfmt.json');
if (!existsSync(VECTORS))
  process.stderr.write('skipped: ../shared/data/vectors/logfmt.json is not there, so no vectors of logfmt are read\n');

type Vectors = {
  goLogfmt: {
    ok: { input: string; records: [string, string | null][][] }[];
    error: { input?: string; inputBase64?: string; error: string; line: number; pos: number }[];
  };
  nodeLogfmt: { input: string; ok: Record<string, string | boolean> }[];
};

/**
 * Where we read a vector otherwise, and why:
 * - a bare key is true, as in node-logfmt, and `true` and `false` are truth values: go-logfmt has null and text
 * - `k=` is empty text and not null: it says that there is a value
 * - a key with U+FFFD, or with bytes that are not UTF-8, is kept: lines come decoded, what was replaced is counted, and an
 *   invalid character is better than a missing line
 * - single quotes belong to the value, as in go-logfmt: node-logfmt takes them off
 * - a line without any `=` is refused: in a file of logfmt it is a stray line of something else
 */
describe.skipIf(!existsSync(VECTORS))('the vectors of other readers of logfmt', () => {
  const { goLogfmt, nodeLogfmt } = JSON.parse(
    existsSync(VECTORS) ? readFileSync(VECTORS, 'utf8') : '{"goLogfmt":{"ok":[],"error":[]},"nodeLogfmt":[]}',
  ) as Vectors;

  it.each(goLogfmt.ok)('go-logfmt reads $input', ({ input, records }) => {
    const lines = input.split('\n').slice(0, records.length);
    const ours = lines.map((line) => pairsOf(line));
    expect(ours.map(({ fault }) => fault)).toEqual(lines.map(() => undefined));
    const asTheirs = ours.map(({ pairs }) =>
      pairs.map(([key, value]) => [key, value === true || value === '' ? null : value]),
    );
    expect(asTheirs).toEqual(records);
  });

  it.each(goLogfmt.error)(
    'go-logfmt refuses $input$inputBase64: $error',
    ({ input, inputBase64, error, line, pos }) => {
      const bytes = inputBase64 === undefined ? Buffer.from(input!) : Buffer.from(inputBase64, 'base64');
      const { fault } = pairsOf(bytes.toString().split('\n')[line - 1]!);
      if (error === 'invalid key') expect(fault).toBeUndefined();
      else expect(fault).toEqual({ message: error, column: pos });
    },
  );

  it.each(nodeLogfmt)('node-logfmt reads $input', ({ input, ok }) => {
    const ours = Object.fromEntries(pairsOf(input).pairs);
    expect(ours).toEqual(input === "hello='kitty'" ? { hello: "'kitty'" } : ok);
    if (!input.includes('=')) expect(read(input).kind).toBe('bad');
  });

  it('are all there', () => {
    expect([goLogfmt.ok.length, goLogfmt.error.length, nodeLogfmt.length]).toEqual([14, 14, 9]);
  });
});

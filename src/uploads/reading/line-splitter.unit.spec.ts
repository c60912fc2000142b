import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_LIMIT_BYTES, type LineEnds, LineSplitter, type RawLine } from './line-splitter.js';

/** Lines of bytes that come in pieces of the given sizes. */
function linesOf(bytes: Buffer, sizes: readonly number[], ends: LineEnds = 'bytes'): RawLine[] {
  const splitter = new LineSplitter(0, 0, ends);
  const lines: RawLine[] = [];
  for (let from = 0, at = 0; from < bytes.length; at++) {
    const size = sizes[at % sizes.length] ?? 1;
    lines.push(...splitter.push(Buffer.from(bytes.subarray(from, from + size))));
    from += size;
  }
  const last = splitter.end();
  return last ? [...lines, last] : lines;
}

const texts = (lines: readonly RawLine[], encoding: BufferEncoding = 'latin1'): string[] =>
  lines.map(({ bytes }) => bytes.toString(encoding));

describe('lines', () => {
  it.each([
    ['a\nb\n', ['a', 'b']],
    ['a\r\nb\r\n\r\nc', ['a', 'b', '', 'c']],
    ['a\rb\r\r\nc', ['a\rb\r', 'c']],
    ['\n\n', ['', '']],
    ['', []],
    ['a\r', ['a']],
  ])('end at LF, one CR before it with it: %j', (text, expected) =>
    expect(texts(linesOf(Buffer.from(text), [1]))).toEqual(expected),
  );

  it('are the same in whatever pieces the bytes come, and say where each ends', () => {
    const text = fc
      .array(fc.constantFrom('a', '\n', '\r', 'Ċ', '\u0a00', 'grüße '), { maxLength: 40 })
      .map((all) => all.join(''));
    const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });
    const check = (value: string, cuts: readonly number[]): void => {
      for (const [ends, bytes] of [
        ['bytes', Buffer.from(value)],
        ['utf-16le', Buffer.from(value, 'utf16le')],
        ['utf-16be', Buffer.from(value, 'utf16le').swap16()],
      ] as const) {
        const lines = linesOf(bytes, cuts, ends);
        const decoder = new TextDecoder(ends === 'bytes' ? 'utf-8' : ends, { ignoreBOM: true });
        const expected = value.split('\n').map((line) => line.replace(/\r$/, ''));
        if (value === '' || value.endsWith('\n')) expected.pop();
        expect(lines.map((line) => decoder.decode(line.bytes))).toEqual(expected);
        expect(lines.at(-1)?.endOffset ?? 0).toBe(bytes.length);
        for (const [at, { endOffset, number }] of lines.entries()) {
          expect(number).toBe(at + 1);
          const rest = new LineSplitter(endOffset, number, ends);
          const again = [...rest.push(bytes.subarray(endOffset)), ...[rest.end()].flatMap((one) => one ?? [])];
          expect(again.map((one) => one.endOffset)).toEqual(lines.slice(at + 1).map((one) => one.endOffset));
        }
      }
    };
    fc.assert(fc.property(text, sizes, check), { numRuns: 300 });
  });

  it.each(['bytes', 'utf-16le', 'utf-16be'] as const)(
    'of 64 KiB are whole, longer ones cut and said to be: %s',
    (ends) => {
      const unit = ends === 'bytes' ? 1 : 2;
      const encode = (text: string): Buffer =>
        ends === 'bytes'
          ? Buffer.from(text)
          : ends === 'utf-16le'
            ? Buffer.from(text, 'utf16le')
            : Buffer.from(text, 'utf16le').swap16();
      const most = LINE_LIMIT_BYTES / unit;
      for (const end of ['\n', '\r\n']) {
        const text = [most, most + 1, 3, 40 * most, most - 1, 7].map((count) => 'x'.repeat(count) + end).join('');
        for (const sizes of [[65_536], [1000, 77_777], [65_537, 3]]) {
          const lines = linesOf(encode(text), sizes, ends);
          expect(lines.map(({ bytes, isTruncated }) => [bytes.length / unit, isTruncated])).toEqual([
            [most, false],
            [most, true],
            [3, false],
            [most, true],
            [most - 1, false],
            [7, false],
          ]);
          expect(lines.at(-1)!.endOffset).toBe(encode(text).length);
        }
      }
    },
  );

  it('cost no more the longer they are', () => {
    const splitter = new LineSplitter(0, 0);
    const piece = Buffer.alloc(65_536, 'x');
    const startedMs = performance.now();
    for (let pieces = 0; pieces < 2000; pieces++) expect([...splitter.push(piece)]).toHaveLength(0);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(splitter.end()).toMatchObject({ isTruncated: true, endOffset: 2000 * 65_536 });
  });
});

it.each([[[60_000, 1, 1]], [[1000]], [[1_000_000]]])(
  'a line that is cut off says how long it was, in pieces of %j',
  (sizes) => {
    const bytes = Buffer.from(`${'x'.repeat(200_000)}\nshort\r\n${'y'.repeat(70_010)}`);
    expect(linesOf(bytes, sizes).map(({ fullBytes, isTruncated }) => [fullBytes, isTruncated])).toEqual([
      [200_000, true],
      [5, false],
      [70_010, true],
    ]);
  },
);

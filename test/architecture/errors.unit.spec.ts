import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/platform/errors/index.js';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8');

type Entry = Readonly<{ status: number; title: string }>;

const rowsOf = (errors: Readonly<Record<string, Entry>>): string[] =>
  Object.entries(errors).map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} |`);

/** Rows of the page's table, without the spaces that line its columns up. */
const toldRows = (page: string): string[] =>
  page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .join(' | ')
        .trim(),
    );

/** Codes and rows that stand on one side only. When it differs, `expected` is the table to put into docs/errors.md. */
function difference(errors: Readonly<Record<string, Entry>>, page: string): { missing: string[]; stale: string[] } {
  const [known, told] = [rowsOf(errors), toldRows(page)];
  return { missing: known.filter((row) => !told.includes(row)), stale: told.filter((row) => !known.includes(row)) };
}

describe('docs/errors.md', () => {
  it('lists every code with its status and title, and no other', () => {
    const expected = ['| code | status | title |', '| --- | --- | --- |', ...rowsOf(ERRORS)].join('\n');
    expect(difference(ERRORS, PAGE), `docs/errors.md should hold this table:\n\n${expected}\n`).toEqual({
      missing: [],
      stale: [],
    });
  });

  it('lists them once, in the order of the code', () => expect(toldRows(PAGE)).toEqual(rowsOf(ERRORS)));
});

describe('the catalogue of errors', () => {
  it('has codes of the form <area>.<kebab-words>, and statuses of failures', () => {
    for (const [code, { status, title }] of Object.entries(ERRORS)) {
      expect(code).toMatch(/^[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title).toMatch(/^[A-Z].*[^.]$/);
    }
  });
});

describe('the check of docs/errors.md', () => {
  const one = { 'shop.closed': { status: 503, title: 'The shop is closed' } };
  const page =
    '# Errors\n\n| code          | status | title |\n| --- | --- | --- |\n| `shop.closed` | 503    | The shop is closed |\n';

  it('takes a table with lined-up columns', () => expect(difference(one, page)).toEqual({ missing: [], stale: [] }));

  it.each([
    ['a code that is not told', page.replace(/\| `.*\n/, ''), ['| `shop.closed` | 503 | The shop is closed |'], []],
    ['a code that is gone', `${page}| \`shop.open\` | 404 | No |\n`, [], ['| `shop.open` | 404 | No |']],
    [
      'a status that moved',
      page.replace('503 ', '500 '),
      ['| `shop.closed` | 503 | The shop is closed |'],
      ['| `shop.closed` | 500 | The shop is closed |'],
    ],
    [
      'a title in other words',
      page.replace('The shop is', 'Shop is'),
      ['| `shop.closed` | 503 | The shop is closed |'],
      ['| `shop.closed` | 503 | Shop is closed |'],
    ],
  ])('would have caught %s', (_what, changed, missing, stale) =>
    expect(difference(one, changed)).toEqual({ missing, stale }),
  );
});

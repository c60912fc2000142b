import { delimiterOf, LONGEST_COLUMN, MOST_COLUMNS } from './csv-cells.js';
import { recordOf } from './csv-record.js';
import { bad, type LineFormat, NOTHING, type Reading } from './format.js';
import { type Entry, eventOf, isUsualKey } from './usual-keys.js';

type Memory = { header: Readonly<{ names: readonly string[]; delimiter: string }> | null };

/**
 * A table whose first line names its columns; each further line is an event, its cells are fields by those names. Level,
 * time, message and trace id are known by the names that JSON lines have for them. A line is a record, so a quoted field
 * that holds a line end is bad: the lines behind it are not lost.
 */
export const csv: LineFormat<Memory> = {
  name: 'csv',
  yields: 'events',
  begin: () => ({ header: null }),
  read: (text, memory, options) => {
    if (text.trim() === '') return NOTHING;
    if (memory.header === null) return begun(text, memory);
    const { names, delimiter } = memory.header;
    const cells = recordOf(text, delimiter);
    if (typeof cells === 'string') return bad(cells);
    if (cells.length !== names.length) return bad(`it has ${cells.length} fields, its header ${names.length}`);
    if (cells.every((cell, index) => cell === names[index])) return NOTHING; // files that were joined
    const entries = cells.flatMap((cell, index): Entry[] => (cell === '' ? [] : [[names[index]!, cell]]));
    return { kind: 'event', event: eventOf(entries, text, options) };
  },
  likeness: () => 0,
  likenessOfFirst: (lines) => {
    const [first = '', ...more] = lines;
    const delimiter = delimiterOf(first);
    const names = namesIn(first, delimiter);
    if (typeof names === 'string' || names.length < 2 || more.length === 0 || !names.every(isName)) return 0;
    const fitting = more.filter((line) => recordOf(line, delimiter).length === names.length).length;
    if (fitting < more.length * FITTING_SHARE) return 0;
    return names.some(isUsualKey) ? 1 : names.length > 2 ? 0.4 : 0;
  },
};

/** Of the lines behind a header, how many must have as many fields. */
const FITTING_SHARE = 0.8;
const isName = (name: string): boolean => /^[\p{L}_@#][\p{L}\p{N}_@#.:/() -]*$/u.test(name.slice(0, LONGEST_COLUMN));

function begun(text: string, memory: Memory): Reading {
  const delimiter = delimiterOf(text);
  const names = namesIn(text, delimiter);
  if (typeof names === 'string') return bad(`as the header, ${names}`);
  memory.header = { names, delimiter };
  return NOTHING;
}

/** A column without a name goes by its number. */
function namesIn(text: string, delimiter: string): readonly string[] | string {
  const cells = recordOf(text, delimiter);
  if (typeof cells === 'string') return cells;
  if (cells.length > MOST_COLUMNS) return `it has more than ${MOST_COLUMNS} columns`;
  return cells.map((cell, index) => cell.trim().slice(0, LONGEST_COLUMN) || `column${index + 1}`);
}

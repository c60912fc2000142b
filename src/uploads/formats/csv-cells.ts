const QUOTE = '"';
const DELIMITERS = [',', ';', '\t', '|'];
/** More columns than these no table of trades or events has; a header is kept with every checkpoint. */
export const MOST_COLUMNS = 500;
export const LONGEST_COLUMN = 100;

/** The cells of a line, unquoted; undefined where a quote stands where none may, or does not close. */
export function cellsOf(line: string, delimiter: string): string[] | undefined {
  if (!line.includes(QUOTE)) return line.split(delimiter);
  const cells: string[] = [];
  for (let at = 0; ; at++) {
    if (line[at] === QUOTE) {
      const end = endOfQuoted(line, at);
      if (end === undefined || (end < line.length && line[end] !== delimiter)) return undefined;
      cells.push(line.slice(at + 1, end - 1).replaceAll('""', QUOTE));
      at = end;
    } else {
      const next = line.indexOf(delimiter, at);
      const end = next < 0 ? line.length : next;
      const cell = line.slice(at, end);
      if (cell.includes(QUOTE)) return undefined;
      cells.push(cell);
      at = end;
    }
    if (at >= line.length) return cells;
  }
}

/** Behind the quote that closes. */
function endOfQuoted(line: string, open: number): number | undefined {
  for (let at = line.indexOf(QUOTE, open + 1); at >= 0; at = line.indexOf(QUOTE, at + 2))
    if (line[at + 1] !== QUOTE) return at + 1;
  return undefined;
}

/** What parts most of a line; a comma where nothing does. */
export function delimiterOf(line: string): string {
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
}

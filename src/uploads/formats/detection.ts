import type { LineFormat } from './format.js';
import { isTrace } from './plain-text.js';

/** A line that no format likes more than so much says nothing of its file: prose, a stack trace, a banner. */
const LEAST_LIKENESS = 0.1;
/** Of the lines that say anything, how well the file's format must fit on average, and how many these must be of all. */
const LEAST_MEAN = 0.3;
const LEAST_SHARE = 0.1;
/** How surely a single line must be of another format than its file's. */
const LEAST_FALLBACK = 0.6;

/**
 * The format that the lines look like most, the first of those alike; undefined where they look like none. Lines of stack
 * traces stand in files of every format, and say nothing.
 */
export function detectAmong(formats: readonly LineFormat[], lines: readonly string[]): LineFormat | undefined {
  const byLine = detectByLine(formats, lines);
  const told = lines.filter((line) => line.trim() !== '');
  let [best, most] = [byLine?.format, byLine?.mean ?? LEAST_MEAN];
  for (const format of formats) {
    const likeness = format.likenessOfFirst?.(told) ?? 0;
    if (likeness > most) [best, most] = [format, likeness];
  }
  return best;
}

type Found = Readonly<{ format: LineFormat; mean: number }>;

function detectByLine(formats: readonly LineFormat[], lines: readonly string[]): Found | undefined {
  const sums = formats.map(() => 0);
  let [silent, telling] = [0, 0];
  for (const line of lines) {
    if (line.trim() === '' || isTrace(line)) {
      silent++;
      continue;
    }
    const likenesses = formats.map((format) => format.likeness(line));
    if (Math.max(...likenesses) < LEAST_LIKENESS) continue;
    telling++;
    for (const [index, likeness] of likenesses.entries()) sums[index]! += likeness;
  }
  if (telling === 0 || telling < (lines.length - silent) * LEAST_SHARE) return undefined;
  const most = Math.max(...sums);
  const mean = most / telling;
  return mean >= LEAST_MEAN ? { format: formats[sums.indexOf(most)]!, mean } : undefined;
}

/**
 * The format that a line looks like which its file's own cannot read. It yields what the own one does: a trade in the
 * middle of a log stays a line of the log.
 */
export function fallbackAmong(formats: readonly LineFormat[], line: string, own: LineFormat): LineFormat | undefined {
  let best: LineFormat | undefined;
  let most = 0;
  for (const format of formats) {
    if (format.name === own.name || format.yields !== own.yields) continue;
    const likeness = format.likeness(line);
    if (likeness >= LEAST_FALLBACK && likeness > most) [best, most] = [format, likeness];
  }
  return best;
}

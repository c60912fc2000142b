import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Labelled } from './nab-score.js';

/** The labelled series of a folder laid out as the benchmark's own; undefined when it is not there. */
export function readNab(folder: string): Labelled[] | undefined {
  const labels = join(folder, 'labels/combined_windows.json');
  if (!existsSync(labels)) return undefined;
  const windowsOf = JSON.parse(readFileSync(labels, 'utf8')) as Record<string, [string, string][]>;
  return Object.entries(windowsOf).map(([name, windows]) => {
    const rows = readFileSync(join(folder, 'data', name), 'utf8')
      .trim()
      .split(/\r?\n/)
      .slice(1);
    const times = rows.map((row) => row.slice(0, row.indexOf(',')));
    return {
      name,
      values: rows.map((row) => Number(row.slice(row.indexOf(',') + 1))),
      windows: windows.map(([from, to]) => [
        times.findIndex((time) => time >= secondsOf(from)),
        times.findLastIndex((time) => time <= secondsOf(to)),
      ]),
    };
  });
}

/** Labels carry microseconds, rows do not. */
const secondsOf = (time: string): string => time.slice(0, 19);

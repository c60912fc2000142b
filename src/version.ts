import { readFileSync } from 'node:fs';

/** Of the package this code was built from: `dist/src/` and `src/` are both below its folder. */
const manifest = ['../package.json', '../../package.json']
  .map((path) => new URL(path, import.meta.url))
  .flatMap((url) => {
    try {
      return [JSON.parse(readFileSync(url, 'utf8')) as { name?: string; version: string }];
    } catch {
      return [];
    }
  });

export const VERSION = manifest.find((one) => one.name === 'tapeline')?.version ?? 'unknown';

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { Injectable } from '@nestjs/common';

export type Page = Readonly<{ body: Buffer; type: string; etag: string }>;

const FILES = ['index.html', 'dashboard.js', 'dashboard.css', 'favicon.svg'] as const;
export type PageFile = (typeof FILES)[number];

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The files of `web/`, read once at start; a missing one stops the boot. */
@Injectable()
export class Pages {
  private readonly byName: ReadonlyMap<PageFile, Page> = new Map(FILES.map((name) => [name, load(name)]));

  get(name: PageFile): Page {
    return this.byName.get(name)!;
  }
}

function load(name: string): Page {
  const body = readFileSync(join(packageRoot(import.meta.dirname), 'web', name));
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { body, type: TYPES[extname(name)]!, etag };
}

/** Whether this runs as src/dashboard/*.ts or dist/src/dashboard/*.js: the nearest folder above that has a package.json. */
function packageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`No package.json above ${import.meta.dirname}`);
  return packageRoot(parent);
}

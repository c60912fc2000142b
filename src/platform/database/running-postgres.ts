import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedPostgres } from './embedded-postgres.js';

/**
 * How to reach the embedded PostgreSQL that another process runs in this data folder, as its postmaster.pid says
 * (line 4 the port, line 5 the socket folder); undefined when there is none. The file may be stale: connecting tells.
 */
export function runningPostgres(dataDir: string): EmbeddedPostgres['connection'] | undefined {
  try {
    const [, , , port, host] = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n');
    const password = readFileSync(join(dataDir, 'postgres-password'), 'utf8').trim();
    if (!host || !port) return undefined;
    return { host, port: Number(port), user: 'tapeline', password, database: 'tapeline' };
  } catch {
    return undefined;
  }
}

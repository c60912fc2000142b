import type { DataSource, EntityManager } from 'typeorm';
import { boundedSearch } from '../platform/database/index.js';

const WITHIN_MS = 5000;

/** Runs a search that its parameters may make costly; throws `search.too-slow`, with what to do about it, beyond its time. */
export const withinTime = <T>(
  dataSource: DataSource,
  advice: string,
  search: (tx: EntityManager) => Promise<T>,
): Promise<T> => boundedSearch(dataSource, { withinMs: WITHIN_MS, code: 'search.too-slow', advice }, search);

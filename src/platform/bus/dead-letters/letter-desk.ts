import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import type { DataSource } from 'typeorm';
import { badParameter } from '../../errors/index.js';
import { expectationOf } from '../../http/index.js';
import { DeadLetterListStore, type LetterFilter } from './dead-letter-list.store.js';
import { LetterStateFields } from './dead-letters.dto.js';
import { bodyOf, filterOf, jobBodyOf, wholeBodyOf } from './letter-body.js';
import { ReplayJobStore } from './replay-job.store.js';

/** Dead letters for the command line: over the database, in the words of the routes. */
export function letterDesk(dataSource: DataSource) {
  const letters = new DeadLetterListStore(dataSource);
  return { letters, jobs: new ReplayJobStore(dataSource, letters), bodyOf, jobBodyOf, wholeBodyOf };
}

/** What the routes take as a filter, with the same faults. */
export function letterFilter(fields: Readonly<Record<string, string | undefined>>): LetterFilter {
  const named = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const checked = plainToInstance(LetterStateFields, named);
  const [fault] = validateSync(checked, { whitelist: true, forbidNonWhitelisted: true });
  if (fault) throw badParameter(fault.property, expectationOf(fault));
  return filterOf(checked);
}

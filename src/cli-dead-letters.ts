import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { DataSource } from 'typeorm';
import { numberOf, UsageError } from './cli-arguments.js';
import { withDatabase } from './cli-database.js';
import { letterDesk, letterFilter } from './platform/bus/index.js';
import { readSettings } from './platform/config/index.js';
import { servingConnections } from './platform/database/index.js';
import { AppError } from './platform/errors/index.js';

const LOOK_EVERY_MS = 250;
const FILTER = {
  stage: { type: 'string' },
  code: { type: 'string' },
  source: { type: 'string' },
  state: { type: 'string' },
  fingerprint: { type: 'string' },
  q: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
} as const;

type Desk = ReturnType<typeof letterDesk>;
type Asked = Readonly<{
  filter: ReturnType<typeof letterFilter>;
  limit: number;
  rate: number;
  dryRun: boolean;
  reason: string | undefined;
  by: string | undefined;
}>;

const ACTIONS: Record<string, (desk: Desk, asked: Asked, dataSource: DataSource) => Promise<void>> = {
  list,
  groups,
  show,
  replay,
  discard,
};

/** `list`, `groups`, `show`, `replay` and `discard`, over the database; a running Tapeline carries replays out. */
export async function runDeadLetters([action = '', ...args]: string[]): Promise<void> {
  const act = ACTIONS[action];
  if (!act) throw new UsageError(`dead-letters takes one of ${Object.keys(ACTIONS).join(', ')}`);
  const asked = askedOf(action, args);
  await withDatabase(readSettings(process.env), (dataSource) => act(letterDesk(dataSource), asked, dataSource));
}

function askedOf(action: string, args: string[]): Asked {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...FILTER,
      limit: { type: 'string', default: '20' },
      rate: { type: 'string', default: '50' },
      'dry-run': { type: 'boolean', default: false },
      reason: { type: 'string' },
      by: { type: 'string' },
    },
  });
  const { limit, rate, 'dry-run': dryRun, reason, by, ...fields } = values;
  if (positionals.some((id) => !/^\d{1,18}$/.test(id)))
    throw new UsageError('letters are named by their ids, such as 17');
  if (action === 'show' && positionals.length === 0) throw new UsageError('show takes the id of a letter');
  if (positionals.length > 0 && !['show', 'replay', 'discard'].includes(action))
    throw new UsageError(`${action} takes a filter, and no ids`);
  const isNarrowed = positionals.length > 0 || Object.keys(fields).length > 0;
  if (['replay', 'discard'].includes(action) && !isNarrowed)
    throw new UsageError(`${action} takes ids, or a filter such as --stage validate`);
  if (action === 'discard' && (reason === undefined || reason.trim() === '' || reason.length > 500))
    throw new UsageError('--reason must say why, in 1 to 500 characters');
  try {
    const filter = { ...letterFilter(fields), ...(positionals.length > 0 && { ids: positionals }) };
    const [most, ratePerSecond] = [numberOf('--limit', limit, 1, 500), numberOf('--rate', rate, 1, 1000)];
    return { filter, limit: Math.trunc(most), rate: ratePerSecond, dryRun, reason, by };
  } catch (error) {
    throw error instanceof AppError ? new UsageError(`--${error.message}`) : error;
  }
}

async function list({ letters, bodyOf }: Desk, { filter, limit }: Asked): Promise<void> {
  const found = (await letters.page(filter, undefined, limit + 1)).map(bodyOf);
  for (const { id, firstFailedAt, state, stage, code, source, message } of found.slice(0, limit)) {
    const where = [source.kind, source.id, source.position].filter((one) => one !== undefined).join(' ');
    console.log(`${id}  ${firstFailedAt}  ${state}  ${stage}  ${code}  [${where}]  ${lineOf(message)}`);
  }
  if (found.length === 0) console.log('no letters');
  if (found.length > limit) console.log(`there are more: --limit, up to 500, or a narrower filter`);
}

async function groups({ letters, bodyOf }: Desk, { filter, limit }: Asked): Promise<void> {
  const found = await letters.groups(filter, undefined, limit);
  for (const { fingerprint, count, dead, sample } of found) {
    const { stage, code, source, message, lastFailedAt } = bodyOf(sample);
    console.log(
      `${fingerprint}  ${count} (${dead} dead)  last ${lastFailedAt}  ${stage}  ${code}  [${source.kind} ${source.id}]  ${lineOf(message)}`,
    );
  }
  if (found.length === 0) console.log('no letters');
}

async function show({ letters, wholeBodyOf }: Desk, { filter }: Asked): Promise<void> {
  for (const id of filter.ids ?? []) {
    const letter = await letters.one(id);
    if (!letter) throw new Error(`there is no dead letter ${id}`);
    console.log(JSON.stringify(wholeBodyOf(letter), null, 2));
  }
}

/** As a job, which a running Tapeline carries out: it alone knows how each kind is replayed. */
async function replay(
  { letters, jobs, jobBodyOf }: Desk,
  { filter, rate, dryRun }: Asked,
  db: DataSource,
): Promise<void> {
  if (dryRun) {
    const kinds = await letters.count({ ...filter, states: ['dead'] });
    for (const { kind, count } of kinds) console.log(`${count} of kind ${kind}`);
    console.log(`${kinds.reduce((sum, { count }) => sum + count, 0)} dead letters would be replayed`);
    return;
  }
  const id = await jobs.create(filter, rate, null);
  if (id === undefined) throw new Error('ten replays run already');
  const isServed = (await servingConnections(db)) > 0;
  if (!isServed) {
    console.log(`Replay job ${id} is noted: no Tapeline runs on this database, the next start carries it out.`);
    return;
  }
  for (let told = ''; ; await pause(LOOK_EVERY_MS)) {
    const job = await jobs.one(id);
    if (!job) throw new Error(`replay job ${id} is gone`);
    const { state, total, replayed, failed, other, progress } = jobBodyOf(job);
    const line = `job ${id}: ${state}, ${replayed} replayed, ${failed} failed, of ${total}${other > 0 ? `, ${other} gone` : ''} (${Math.round(progress * 100)} %)`;
    if (line !== told) console.log((told = line));
    if (state === 'running') continue;
    if (failed > 0) throw new Error(`${failed} letters failed again: dead-letters show ID tells why`);
    return;
  }
}

async function discard({ letters }: Desk, { filter, reason, by }: Asked): Promise<void> {
  console.log(`${await letters.discard(filter, reason!, by ?? 'cli')} letters discarded`);
}

/** One line of a terminal. */
const lineOf = (message: string): string => message.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, 160);

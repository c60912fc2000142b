import { formatInstant } from '../../../contracts/index.js';
import type { Letter, LetterFilter, WholeLetter } from './dead-letter-list.store.js';
import type {
  JobBody,
  JobFilter,
  LetterBody,
  LetterStateFields,
  PayloadBody,
  WholeLetterBody,
} from './dead-letters.dto.js';
import type { ReplayJob } from './replay-job.store.js';

const instantOrNull = (us: number | null): string | null => (us === null ? null : formatInstant(us));

export function bodyOf(letter: Letter): LetterBody {
  return {
    id: letter.id,
    stage: letter.stage,
    code: letter.code,
    message: letter.message,
    source: letter.source,
    fingerprint: letter.fingerprint,
    state: letter.state,
    attemptCount: letter.attempts,
    attempts: letter.tries.map(({ atUs, error, durationMs = null }) => ({
      at: formatInstant(atUs),
      error,
      durationMs,
    })),
    contentType: letter.contentType,
    payloadBytes: letter.payloadBytes,
    payloadSha256: letter.payloadSha256,
    truncated: letter.isCut,
    firstFailedAt: formatInstant(letter.firstFailedAtUs),
    lastFailedAt: formatInstant(letter.lastFailedAtUs),
    editedAt: instantOrNull(letter.editedAtUs),
    replayedAt: instantOrNull(letter.replayedAtUs),
    discardedAt: instantOrNull(letter.discardedAtUs),
    reason: letter.reason,
    discardedBy: letter.discardedBy,
    jobId: letter.jobId,
  };
}

export function wholeBodyOf(letter: WholeLetter): WholeLetterBody {
  const { original } = letter;
  return {
    ...bodyOf(letter),
    ...payloadBody(letter.payload),
    original: original && {
      ...payloadBody(original.payload),
      payloadBytes: original.bytes,
      payloadSha256: original.sha256,
    },
  };
}

export function jobBodyOf(job: ReplayJob): JobBody {
  const { total, counts } = job;
  return {
    id: job.id,
    state: job.state,
    filter: shownFilter(job.filter),
    ratePerSecond: job.ratePerSecond,
    total,
    ...counts,
    progress: total === 0 ? 1 : Number(((total - counts.pending - counts.retrying) / total).toFixed(4)),
    createdAt: formatInstant(job.createdAtUs),
    finishedAt: instantOrNull(job.finishedAtUs),
  };
}

export function filterOf({ source, ...fields }: LetterStateFields & JobFilter): LetterFilter {
  const colon = source?.indexOf(':') ?? -1;
  return {
    ids: fields.ids,
    stages: fields.stage,
    code: fields.code,
    states: fields.state,
    fingerprint: fields.fingerprint,
    q: fields.q,
    fromUs: fields.from,
    toUs: fields.to,
    ...(source === undefined
      ? {}
      : { source: colon < 0 ? { kind: source } : { kind: source.slice(0, colon), id: source.slice(colon + 1) } }),
  };
}

/** As it was asked for. */
function shownFilter({ ids, stages, code, source, fingerprint, q, fromUs, toUs }: LetterFilter): object {
  const shown = {
    ids,
    stage: stages?.join(','),
    code,
    source: source && [source.kind, source.id].filter((one) => one !== undefined).join(':'),
    fingerprint,
    q,
    from: fromUs === undefined ? undefined : formatInstant(fromUs),
    to: toUs === undefined ? undefined : formatInstant(toUs),
  };
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined));
}

/** Text where the bytes are UTF-8; a character that the cut went through is left out. */
function payloadBody(bytes: Buffer): PayloadBody {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { payload: decoder.decode(bytes, { stream: true }), encoding: 'utf8' };
  } catch {
    return { payload: bytes.toString('base64'), encoding: 'base64' };
  }
}

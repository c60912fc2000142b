import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { nowUs } from '../../observability/index.js';
import {
  type DeadLetter,
  errorText,
  fingerprintOf,
  type LetterState,
  messageText,
  MOST_TRIES,
  nameText,
  type ReplayedLetter,
  type Stage,
  storedPayload,
  type Try,
} from './dead-letter.js';

/** A letter that a replay holds; `attempts` is its token. */
export type HeldLetter = ReplayedLetter & Readonly<{ attempts: number; isCut: boolean }>;

/** Whether a letter can be replayed now. */
export type Replayability = Readonly<{ state: LetterState; sourceKind: string; isCut: boolean }>;

type HeldRow = {
  id: string;
  stage: Stage;
  code: string;
  message: string;
  source_kind: string;
  source_id: string;
  source_position: string | null;
  attempts: number;
  payload: Buffer;
  is_cut: boolean;
  content_type: string;
  is_edited: boolean;
  first_us: string;
};

const LOST = 'the process ended, or stood still, before there was an answer';
const TRIES = (more: string): string => `case when jsonb_array_length(tries) < ${MOST_TRIES} then tries || ${more}
  else (tries - 0) || ${more} end`;

/** Letters one by one: kept, replayed, failed again. */
@Injectable()
export class DeadLetterStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Keeps what could not be processed, in the caller's transaction or alone. */
  async keep(letters: readonly DeadLetter[], tx: EntityManager = this.dataSource.manager): Promise<void> {
    const payloads = letters.map((one) => storedPayload(one.payload, one.mostPayloadBytes, one.fullPayloadBytes));
    const tries = letters.map(triesOf);
    await tx.query(
      `insert into bus.dead_letter (stage, code, message, source_kind, source_id, source_position, attempts, payload,
         payload_bytes, payload_sha256, content_type, fingerprint, tries, first_failed_at, last_failed_at)
       select stage, code, message, kind, source, position, attempts, payload, bytes, sha256, type, fingerprint, tries::jsonb,
         to_timestamp(first_us / 1e6), to_timestamp(last_us / 1e6)
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bytea[], $9::int[],
         $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[])
         as l(stage, code, message, kind, source, position, attempts, payload, bytes, sha256, type, fingerprint, tries, first_us, last_us)`,
      [
        letters.map((one) => one.stage),
        letters.map((one) => one.code),
        letters.map((one) => messageText(one.message)),
        letters.map((one) => one.source.kind),
        letters.map((one) => nameText(one.source.id)),
        letters.map((one) => (one.source.position === undefined ? null : nameText(one.source.position))),
        letters.map((one) => one.attempts),
        payloads.map(({ bytes }) => bytes),
        payloads.map(({ fullBytes }) => fullBytes),
        payloads.map(({ sha256 }) => sha256),
        letters.map(contentTypeOf),
        letters.map(fingerprintOf),
        tries.map((those) => JSON.stringify(those)),
        tries.map(([first]) => first!.atUs),
        tries.map((those) => those.at(-1)!.atUs),
      ],
    );
  }

  /** Undefined when there is no such letter. */
  async replayability(id: string): Promise<Replayability | undefined> {
    const rows = (await this.dataSource.query(
      `select state, source_kind as "sourceKind", payload_bytes > length(payload) as "isCut" from bus.dead_letter where id = $1`,
      [id],
    )) as Replayability[];
    return rows[0];
  }

  /** Begins a replay of a letter in one of these states, with another payload if one is given: for `leaseMs` nobody else may. */
  async hold(
    id: string,
    from: readonly LetterState[],
    leaseMs: number,
    edited?: Buffer,
  ): Promise<HeldLetter | undefined> {
    const payload = edited && storedPayload(edited, Infinity);
    const [rows] = (await this.dataSource.query(
      `update bus.dead_letter set state = 'retrying', attempts = attempts + 1, retry_until = now() + $3 * interval '1 ms',
         reason = null, discarded_by = null, discarded_at = null,
         original = case when $4::bytea is null then original else coalesce(original, payload) end,
         original_bytes = case when $4::bytea is null then original_bytes else coalesce(original_bytes, payload_bytes) end,
         original_sha256 = case when $4::bytea is null then original_sha256 else coalesce(original_sha256, payload_sha256) end,
         edited_at = case when $4::bytea is null then edited_at else now() end,
         payload = coalesce($4, payload), payload_bytes = coalesce($5, payload_bytes), payload_sha256 = coalesce($6, payload_sha256)
       where id = $1 and state = any($2)
       returning id, stage, code, message, source_kind, source_id, source_position, attempts, payload,
         payload_bytes > length(payload) as is_cut, content_type, edited_at is not null as is_edited,
         (extract(epoch from first_failed_at) * 1000000)::bigint as first_us`,
      [id, from, leaseMs, payload?.bytes ?? null, payload?.fullBytes ?? null, payload?.sha256 ?? null],
    )) as [HeldRow[], number];
    return rows.map(heldOf)[0];
  }

  /** Closes a held letter; false when it is held no longer, so that what was done for it must not stand. */
  async replayed(tx: EntityManager, { id, attempts }: HeldLetter): Promise<boolean> {
    const [, closed] = (await tx.query(
      `update bus.dead_letter set state = 'replayed', retry_until = null, replayed_at = now()
       where id = $1 and state = 'retrying' and attempts = $2`,
      [id, attempts],
    )) as [unknown, number];
    return closed === 1;
  }

  /** A held letter whose end somebody else reports, within a day; false when it is held no longer. */
  async underWay(tx: EntityManager, { id, attempts }: HeldLetter): Promise<boolean> {
    const [, left] = (await tx.query(
      `update bus.dead_letter set retry_until = case when source_kind = 'delivery' then null else now() + interval '1 day' end
       where id = $1 and state = 'retrying' and attempts = $2`,
      [id, attempts],
    )) as [unknown, number];
    return left === 1;
  }

  /** The replay could not be tried: the letter is dead as before. */
  async letGo({ id, attempts }: HeldLetter): Promise<void> {
    await this.dataSource.query(
      `update bus.dead_letter set state = 'dead', retry_until = null, attempts = attempts - 1
       where id = $1 and state = 'retrying' and attempts = $2`,
      [id, attempts],
    );
  }

  /** The replay failed: the same letter is dead again. */
  async failedAgain({ id, attempts }: HeldLetter, error: string, durationMs: number): Promise<void> {
    await this.dataSource.query(
      `update bus.dead_letter set state = 'dead', retry_until = null, last_failed_at = now(), tries = ${TRIES('$3::jsonb')}
       where id = $1 and state = 'retrying' and attempts = $2`,
      [id, attempts, JSON.stringify([{ atUs: nowUs(), error: errorText(error), durationMs: Math.round(durationMs) }])],
    );
  }

  /** Ends what was under way, well or, with a try, not. */
  async reported(tx: EntityManager, ids: readonly string[], failed?: Try): Promise<void> {
    if (failed === undefined)
      await tx.query(
        `update bus.dead_letter set state = 'replayed', replayed_at = now() where id = any($1::bigint[]) and state = 'retrying'`,
        [ids],
      );
    else
      await tx.query(
        `update bus.dead_letter set state = 'dead', last_failed_at = now(), tries = ${TRIES('$2::jsonb')}
         where id = any($1::bigint[]) and state = 'retrying'`,
        [ids, JSON.stringify([{ ...failed, error: errorText(failed.error) }])],
      );
  }

  /** What a letter stands for failed once more, by itself or replayed; false when there is no such letter yet. */
  async returned(tx: EntityManager, letter: DeadLetter): Promise<boolean> {
    const [, returned] = (await tx.query(
      `update bus.dead_letter set state = 'dead', retry_until = null, replayed_at = null, last_failed_at = now(),
         code = $4, message = $5, attempts = greatest(attempts, $6), tries = ${TRIES('$7::jsonb')}
       where source_kind = $1 and source_id = $2 and source_position = $3 and state <> 'discarded'`,
      [
        letter.source.kind,
        letter.source.id,
        letter.source.position,
        letter.code,
        messageText(letter.message),
        letter.attempts,
        JSON.stringify(triesOf(letter)),
      ],
    )) as [unknown, number];
    return returned > 0;
  }

  /** Letters of these positions need no replay any more. */
  async closed(tx: EntityManager, kind: string, id: string, positions: readonly string[]): Promise<void> {
    await tx.query(
      `update bus.dead_letter set state = 'replayed', retry_until = null, replayed_at = now()
       where source_kind = $1 and source_id = $2 and source_position = any($3) and state in ('dead', 'pending', 'retrying')`,
      [kind, id, positions],
    );
  }

  /** Replays that nobody works on any more, and those of consumers that are gone, are dead letters again. */
  async returnLost(): Promise<number> {
    const [, lost] = (await this.dataSource.query(
      `update bus.dead_letter l set state = 'dead', retry_until = null, last_failed_at = now(), tries = ${TRIES('$1::jsonb')}
       where state = 'retrying' and (retry_until < now() or (retry_until is null and source_kind = 'delivery'
         and not exists (select from bus.delivery d where d.consumer = l.source_id and d.event_id = -l.id)))`,
      [JSON.stringify([{ atUs: nowUs(), error: LOST }])],
    )) as [unknown, number];
    return lost;
  }
}

function triesOf({ tries = [], message }: DeadLetter): Try[] {
  const told = tries.length > 0 ? tries : [{ atUs: nowUs(), error: message }];
  return told.slice(-MOST_TRIES).map((one) => ({ ...one, error: errorText(one.error) }));
}

const contentTypeOf = ({ contentType, payload }: DeadLetter): string =>
  contentType ?? (typeof payload === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream');

function heldOf(row: HeldRow): HeldLetter {
  return {
    id: row.id,
    stage: row.stage,
    code: row.code,
    message: row.message,
    source: {
      kind: row.source_kind,
      id: row.source_id,
      ...(row.source_position === null ? {} : { position: row.source_position }),
    },
    attempts: row.attempts,
    payload: row.payload,
    isCut: row.is_cut,
    contentType: row.content_type,
    isEdited: row.is_edited,
    firstFailedAtUs: Number(row.first_us),
  };
}

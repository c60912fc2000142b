import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ErrorCode } from '../errors/index.js';

export type DeadLetter = Readonly<{
  stage: 'receive' | 'decode' | 'parse' | 'validate' | 'store' | 'process' | 'deliver';
  code: ErrorCode;
  /** What was wrong with this one. */
  message: string;
  source: Readonly<{ kind: string; id: string; position?: string }>;
  attempts: number;
  /** As it came: text of the frame, or JSON. Cut at 256 KiB. */
  payload: string;
}>;

const PAYLOAD_LIMIT = 256 * 1024;

@Injectable()
export class DeadLetterStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Keeps what could not be processed, in the caller's transaction or alone. */
  async keep(letters: readonly DeadLetter[], tx: EntityManager = this.dataSource.manager): Promise<void> {
    await tx.query(
      `insert into bus.dead_letter (stage, code, message, source_kind, source_id, source_position, attempts, payload)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[])`,
      [
        letters.map((one) => one.stage),
        letters.map((one) => one.code),
        letters.map((one) => printable(one.message)),
        letters.map((one) => one.source.kind),
        letters.map((one) => one.source.id),
        letters.map((one) => one.source.position ?? null),
        letters.map((one) => one.attempts),
        letters.map((one) => printable(one.payload).slice(0, PAYLOAD_LIMIT)),
      ],
    );
  }
}

/** PostgreSQL text cannot hold U+0000, nor UTF-8 a lone surrogate. */
const printable = (text: string): string => text.replaceAll('\0', '\u2400').toWellFormed();

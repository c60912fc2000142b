import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { LOG_LEVELS, type LogEvent, RowsParsedV1, type RowsParsedV1Data } from '../../contracts/index.js';
import { Bus, ConsumesBatch, type DeadLetter, DeadLetters, type ReplayedLetter } from '../../platform/bus/index.js';
import { AppError, errorCode } from '../../platform/errors/index.js';
import { LogDayStore } from './log-day.store.js';
import { LogEventStore, type StoredCount } from './log-event.store.js';
import { faultOf, type LogRow, logRow } from './log-row.js';

/** Up to a thousand lines a statement: beyond, it is not faster, and what it hinders waits longer. */
const BATCH_CHUNKS = 4;
const LETTER_KIND = 'log-event';
/** The value is at fault: a data exception, a constraint, or a limit such as the depth of JSON. */
const REFUSED = /^(22|23|54)/;
/** There is no partition for the row: check_violation. */
const NO_PARTITION = '23514';
const MOST_FORMATS = 50;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Refused = Readonly<{ fileId: string; event: LogEvent; message: string }>;
/** What became of rows. */
type Outcome = { stored: StoredCount[]; refused: Refused[] };

/** Stores the log events of files, each once; one that cannot be stored becomes a dead letter and holds up nothing. */
@Injectable()
export class LogRecorder {
  private readonly formats = new Set<string>();

  constructor(
    private readonly bus: Bus,
    private readonly deadLetters: DeadLetters,
    private readonly days: LogDayStore,
    private readonly store: LogEventStore,
    @InjectMetric('log_events_total') private readonly events: Counter<'level' | 'format'>,
    @InjectMetric('log_rows_total') private readonly rows: Counter<'result'>,
  ) {
    deadLetters.onReplay(
      LETTER_KIND,
      (letter, tx) => this.replay(letter, tx),
      () => this.days.open(today()),
    );
  }

  @ConsumesBatch(RowsParsedV1, 'processing.record-log-events', { batch: BATCH_CHUNKS })
  async onRowsParsed(chunks: readonly RowsParsedV1Data[], tx: EntityManager): Promise<void> {
    const rows: LogRow[] = [];
    const refused: Refused[] = [];
    for (const { fileId, events } of chunks) {
      for (const event of events) {
        const message = faultOf(event);
        if (message === undefined) rows.push(logRow(fileId, event));
        else refused.push({ fileId, event, message });
      }
      await breath();
    }
    const outcome = await this.record(tx, rows);
    refused.push(...outcome.refused);
    await this.keep(tx, refused);
    const total = rows.length + refused.length - outcome.refused.length;
    this.bus.afterCommit(tx, () => this.count(total, outcome.stored, refused.length));
  }

  private async record(tx: EntityManager, rows: readonly LogRow[]): Promise<Outcome> {
    const outcome: Outcome = { stored: [], refused: [] };
    if (rows.length === 0) return outcome;
    const day = today();
    await this.days.open(day);
    const files = await this.store.touchFiles(tx, day, rows);
    await this.storeOrSplit(tx, day, files, rows, outcome);
    return outcome;
  }

  /** One row that PostgreSQL refuses must not hold up the others: halve until it stands alone. */
  private async storeOrSplit(
    tx: EntityManager,
    day: string,
    files: ReadonlyMap<string, number>,
    rows: readonly LogRow[],
    outcome: Outcome,
  ): Promise<void> {
    try {
      outcome.stored.push(...(await this.store.store(tx, day, files, rows)));
    } catch (error) {
      const code = errorCode(error) ?? '';
      if (code === NO_PARTITION) this.days.forget();
      if (code === NO_PARTITION || !REFUSED.test(code)) throw error;
      const [alone] = rows;
      if (rows.length === 1 && alone) {
        outcome.refused.push({ fileId: alone.fileId, event: alone.event, message: (error as Error).message });
        return;
      }
      const middle = rows.length >> 1;
      await this.storeOrSplit(tx, day, files, rows.slice(0, middle), outcome);
      await this.storeOrSplit(tx, day, files, rows.slice(middle), outcome);
    }
  }

  private async keep(tx: EntityManager, refused: readonly Refused[]): Promise<void> {
    await this.deadLetters.keepMany(
      tx,
      refused.map(({ fileId, event, message }): DeadLetter => ({
        stage: 'store',
        code: 'store.refused',
        message,
        source: { kind: LETTER_KIND, id: fileId, position: String(event.line) },
        attempts: 1,
        payload: JSON.stringify({ fileId, event }),
        contentType: 'application/json',
      })),
    );
  }

  /** As it was, or as a person has mended it. */
  private async replay({ payload }: ReplayedLetter, tx: EntityManager): Promise<void> {
    const { fileId, event } = rowOf(payload);
    const fault = faultOf(event);
    if (fault !== undefined) throw new AppError('store.refused', fault);
    const { stored, refused } = await this.record(tx, [logRow(fileId, event)]);
    if (refused[0]) throw new AppError('store.refused', refused[0].message);
    this.bus.afterCommit(tx, () => this.count(1, stored, 0));
  }

  private count(total: number, stored: readonly StoredCount[], refused: number): void {
    let fresh = 0;
    for (const { level, format, count } of stored) {
      this.events.inc({ level: level ?? 'none', format: this.label(format) }, count);
      fresh += count;
    }
    this.rows.inc({ result: 'stored' }, fresh);
    this.rows.inc({ result: 'repeated' }, total - fresh - refused);
    this.rows.inc({ result: 'refused' }, refused);
  }

  /** Formats are few, but come from outside of this module. */
  private label(format: string): string {
    if (this.formats.size < MOST_FORMATS) this.formats.add(format);
    return this.formats.has(format) ? format : 'other';
  }
}

const today = (): string => new Date().toISOString().slice(0, 10);

/** Lets what waits have its turn: market data comes before old lines. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Of a payload that a person may have mended. */
function rowOf(payload: Buffer): { fileId: string; event: LogEvent } {
  const { fileId, event } = JSON.parse(payload.toString()) as { fileId?: unknown; event?: Partial<LogEvent> };
  if (typeof fileId !== 'string' || !UUID.test(fileId)) throw new Error('the payload lacks fileId, a UUID');
  if (typeof event?.message !== 'string' || typeof event.format !== 'string')
    throw new Error('the event lacks message or format');
  if (typeof event.fields !== 'object' || event.fields === null || Array.isArray(event.fields))
    throw new Error('the event lacks fields, an object');
  if (event.level !== undefined && !LOG_LEVELS.includes(event.level))
    throw new Error(`the level must be one of ${LOG_LEVELS.join(', ')}, or absent`);
  if (event.traceId !== undefined && typeof event.traceId !== 'string') throw new Error('traceId must be a text');
  return { fileId, event: event as LogEvent };
}

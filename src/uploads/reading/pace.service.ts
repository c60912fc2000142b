import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { FileTradesParsedV1, LogMinutesCountedV1, RowsParsedV1, TradesReceivedV1 } from '../../contracts/index.js';
import { Bus, Hears } from '../../platform/bus/index.js';

const TOLD = [RowsParsedV1, FileTradesParsedV1, LogMinutesCountedV1];
/** Chunks that may wait for their consumers, everywhere; beyond, reading waits for them. */
const MOST_UNDELIVERED = 24;
const COUNT_EVERY_CHUNKS = 8;
const WAIT_MS = 10;
/** Trades of a feed that came within this time are market data that files must not delay. */
const LIVE_MS = 1000;
/** A delivery that failed and waits to be tried again holds up reading no longer than this. */
const PATIENCE_MS = 1000;
/**
 * Beside market data, reading rests half as long as its last chunk took to be read and stored: the busier the machine is,
 * the longer.
 */
const REST_SHARE = 0.5;
const MOST_REST_MS = 1000;

/** How far a reading has come, for its pace. */
export type Paced = {
  chunks: number;
  /** When its last chunk was let through. */
  letThroughMs: number;
};

/**
 * Reading is faster than what is read can be stored. It goes on once little of that waits; beside market data, once
 * none does: storing four chunks at once takes 65 ms, one alone 15 ms, which is what trades may have to wait for.
 */
@Injectable()
export class Pace {
  private tradesMs = -Infinity;

  constructor(private readonly bus: Bus) {}

  @Hears(TradesReceivedV1, 'uploads.give-way')
  onTradesReceived(): void {
    this.tradesMs = performance.now();
  }

  /** Resolves when a chunk may be written; calls `check` on its way, which may throw. */
  async letThrough(reading: Paced, check: () => void): Promise<void> {
    const isLive = performance.now() - this.tradesMs < LIVE_MS;
    if (isLive || reading.chunks % COUNT_EVERY_CHUNKS === 0) await this.waitForConsumers(isLive, check);
    if (isLive) {
      const tookMs = performance.now() - reading.letThroughMs;
      await pause(Math.min(MOST_REST_MS, tookMs * REST_SHARE));
      check();
    }
    reading.letThroughMs = performance.now();
  }

  private async waitForConsumers(isLive: boolean, check: () => void): Promise<void> {
    const sinceMs = performance.now();
    for (;;) {
      const waiting = await this.bus.undelivered(TOLD, MOST_UNDELIVERED);
      const isPatient = isLive && performance.now() - sinceMs < PATIENCE_MS;
      if (waiting < (isPatient ? 1 : MOST_UNDELIVERED)) return;
      check();
      await pause(WAIT_MS);
    }
  }
}

import { Injectable } from '@nestjs/common';
import { FeedChangedV1, type FeedChangedV1Data } from '../../contracts/index.js';
import { Hears } from '../../platform/bus/index.js';
import { Settings } from '../../platform/config/index.js';

/** So long after a connection is up, what was missed before it has been found, and stands as a gap. */
const SETTLED_AFTER_MS = 5000;

/**
 * Which sources are listened to. A window that ends while nobody listens is not quiet but unknown: its candle stays open
 * until the feed is back and its holes are known. A process without feeds of its own knows nothing of them, and holds none.
 */
@Injectable()
export class Listening {
  /** When each source was connected; undefined while it is not. */
  private readonly connectedMs = new Map<string, number | undefined>();

  constructor(settings: Settings) {
    if (settings.MODULES.includes('ingestion'))
      for (const source of settings.FEEDS) this.connectedMs.set(source, undefined);
  }

  @Hears(FeedChangedV1, 'aggregation.note-feed-changed')
  onFeedChanged({ source, state }: FeedChangedV1Data): void {
    if (state !== 'connected') this.connectedMs.set(source, undefined);
    else if (this.connectedMs.get(source) === undefined) this.connectedMs.set(source, performance.now());
  }

  /** Sources whose candles must not close now. */
  unsettled(): string[] {
    const settledMs = performance.now() - SETTLED_AFTER_MS;
    return [...this.connectedMs].filter(([, atMs]) => atMs === undefined || atMs > settledMs).map(([source]) => source);
  }
}

/** A shorter silence is none, whatever the feed. */
export const SILENT_AFTER_US = 5_000_000;
/** So many times its usual pause. */
const UNUSUAL = 20;
const SMOOTHING = 0.05;
/** Pauses until the usual one is known. */
const FEW = 50;

export type FeedChange = Readonly<{ source: string; sinceUs: number; isLost: boolean }>;

type Feed = {
  heardUs: number;
  isConnected: boolean | undefined;
  /** Usual time between two batches of its trades. */
  pauseUs: number;
  pauses: number;
  isLost: boolean;
  /** Its newest trade, and how old that was when it came. */
  newestUs: number;
  delayUs: number;
};

/**
 * When a feed counts as lost: it says it is not connected and brings nothing, or it brings nothing for far longer than it
 * ever does. A market without trades is no lost feed: all its symbols are heard together.
 */
export class FeedWatch {
  private readonly feeds = new Map<string, Feed>();

  /** Trades came; values that are polled have no pace. */
  heard(source: string, atUs: number, hasPace: boolean): void {
    const feed = this.feedOf(source, atUs);
    const pauseUs = atUs - feed.heardUs;
    if (pauseUs <= 0) return;
    if (hasPace && !feed.isLost) {
      const weight = Math.max(SMOOTHING, 1 / ++feed.pauses);
      feed.pauseUs += weight * (pauseUs - feed.pauseUs);
    }
    feed.heardUs = atUs;
  }

  /** How far behind it is: a venue's clock may differ, and prices of some come a quarter of an hour late. */
  traded(source: string, trades: readonly Readonly<{ tradedAtUs: number }>[], nowUs: number): void {
    const feed = this.feedOf(source, nowUs);
    const newestUs = trades.reduce((newest, { tradedAtUs }) => Math.max(newest, tradedAtUs), 0);
    if (newestUs < feed.newestUs) return;
    feed.newestUs = newestUs;
    feed.delayUs = Math.max(0, nowUs - newestUs);
  }

  delayUs(source: string): number {
    return this.feeds.get(source)?.delayUs ?? 0;
  }

  changed(source: string, isConnected: boolean, atUs: number): void {
    const feed = this.feedOf(source, atUs);
    if (isConnected && feed.isConnected === false) feed.heardUs = Math.max(feed.heardUs, atUs);
    feed.isConnected = isConnected;
  }

  /** What was lost or came back since the last call. */
  look(nowUs: number): FeedChange[] {
    const changes: FeedChange[] = [];
    for (const [source, feed] of this.feeds) {
      const isLost = isSilent(feed, nowUs);
      if (isLost !== feed.isLost) changes.push({ source, sinceUs: feed.heardUs, isLost });
      feed.isLost = isLost;
    }
    return changes;
  }

  isLost(source: string): boolean {
    return this.feeds.get(source)?.isLost === true;
  }

  private feedOf(source: string, atUs: number): Feed {
    let feed = this.feeds.get(source);
    if (!feed) {
      feed = { heardUs: atUs, isConnected: undefined, pauseUs: 0, pauses: 0, isLost: false, newestUs: 0, delayUs: 0 };
      this.feeds.set(source, feed);
    }
    return feed;
  }
}

function isSilent({ heardUs, isConnected, pauseUs, pauses }: Feed, nowUs: number): boolean {
  const ageUs = nowUs - heardUs;
  if (ageUs < SILENT_AFTER_US) return false;
  return isConnected === false || (pauses >= FEW && ageUs >= UNUSUAL * pauseUs);
}

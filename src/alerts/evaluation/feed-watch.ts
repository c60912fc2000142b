/** A shorter silence is none, whatever the feed. */
const SILENT_AFTER_US = 5_000_000;
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
  /** When it was last heard before it was lost; undefined while it is not. */
  lostSinceUs: number | undefined;
  /** Its newest trade, and how old that was when it came. */
  newestUs: number;
  delayUs: number | undefined;
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
    if (hasPace && feed.lostSinceUs === undefined) {
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

  /** Undefined until it brought a trade. */
  delayUs(source: string): number | undefined {
    return this.feeds.get(source)?.delayUs;
  }

  changed(source: string, isConnected: boolean, atUs: number): void {
    const feed = this.feedOf(source, atUs);
    if (isConnected && (feed.isConnected === false || feed.lostSinceUs !== undefined))
      feed.heardUs = Math.max(feed.heardUs, atUs);
    feed.isConnected = isConnected;
  }

  /** What was lost or came back since the last call. */
  look(nowUs: number): FeedChange[] {
    const changes: FeedChange[] = [];
    for (const [source, feed] of this.feeds) {
      const isLost = feed.lostSinceUs === feed.heardUs || isSilent(feed, nowUs);
      if (isLost !== (feed.lostSinceUs !== undefined)) changes.push({ source, sinceUs: feed.heardUs, isLost });
      feed.lostSinceUs = isLost ? feed.heardUs : undefined;
    }
    return changes;
  }

  /** A feed that an earlier process lost: it is lost until it is heard again. */
  begin(lost: readonly Readonly<{ source: string; sinceUs: number }>[]): void {
    for (const { source, sinceUs } of lost) {
      this.feedOf(source, sinceUs).lostSinceUs = sinceUs;
    }
  }

  /** Since when nothing is heard of a feed that is lost. */
  lostSinceUs(source: string): number | undefined {
    return this.feeds.get(source)?.lostSinceUs;
  }

  private feedOf(source: string, atUs: number): Feed {
    let feed = this.feeds.get(source);
    if (!feed) {
      feed = {
        heardUs: atUs,
        isConnected: undefined,
        pauseUs: 0,
        pauses: 0,
        lostSinceUs: undefined,
        newestUs: 0,
        delayUs: undefined,
      };
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

import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { TradesDroppedV1, type TradesReceivedV1Data, type VenueId } from '../contracts/index.js';
import { Bus, Hears } from '../platform/bus/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { CoverageStore, type SeriesEnd, type SeriesKey } from './coverage.store.js';
import { Gaps } from './gaps.service.js';
import { receivedAtUs, unheard } from './made-ids.js';

const TRY_EVERY_MS = 1000;
/** Spells of one series and reason that lie closer are one. */
const JOIN_WITHIN_US = 1_000_000;
/** While the database is away; beyond, spells of one series are joined into one. */
const MOST_WAITING = 1000;

const UNNUMBERED = Object.values(CONNECTORS).flatMap(({ id, contiguousIds }) => (contiguousIds ? [] : [id]));

type Ends = ReadonlyMap<string, SeriesEnd>;
type Spell = SeriesKey & { fromUs: number | undefined; toUs: number; reason: string };

/** Records when nobody listened to a venue that numbers no trades and has no history: a hole that stays in sight. */
@Injectable()
export class UnheardSpells implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Gaps');
  private waiting: Spell[] = [];
  private timer: NodeJS.Timeout | undefined;
  private keeping: Promise<void> | undefined;
  private endsAtStart: ReadonlyMap<string, Ends> | undefined;
  private readonly endsRead = Promise.withResolvers<void>();

  constructor(
    private readonly bus: Bus,
    private readonly coverage: CoverageStore,
    private readonly gaps: Gaps,
  ) {}

  onApplicationBootstrap(): void {
    const keep = (): unknown => (this.keeping ??= this.keep().finally(() => (this.keeping = undefined)));
    void this.bus.whenReady().then(() => {
      keep();
      this.timer = setInterval(keep, TRY_EVERY_MS).unref();
    });
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.keeping;
    if (this.waiting.length > 0) await this.keep();
  }

  /**
   * Once it is known where each series ended before this process. Until then nothing may be recorded: its first trades
   * would hide how long nobody listened before them.
   */
  whenReady(): Promise<void> {
    return this.endsRead.promise;
  }

  /** `fromUs` undefined: since the last trade that an earlier process recorded, if any did. */
  note(
    source: VenueId,
    symbols: readonly Readonly<{ venueSymbol: string; symbol: string }>[],
    fromUs: number | undefined,
    toUs: number,
    reason: string,
  ): void {
    for (const { venueSymbol, symbol } of symbols) this.add({ source, venueSymbol, symbol, fromUs, toUs, reason });
  }

  @Hears(TradesDroppedV1, 'ingestion.note-dropped')
  onTradesDropped({ trades }: TradesReceivedV1Data): void {
    for (const { source, venueSymbol, symbol, receivedAtUs: atUs } of trades) {
      if (CONNECTORS[source as VenueId]?.contiguousIds !== false) continue;
      this.add({
        source,
        venueSymbol,
        symbol,
        fromUs: atUs,
        toUs: atUs + 1,
        reason: 'received and dropped: the queue in front of recording was full',
      });
    }
  }

  private add(spell: Spell): void {
    const last = this.waiting.findLast((one) => one.source === spell.source && one.venueSymbol === spell.venueSymbol);
    const isOne = last && ((last.reason === spell.reason && touch(last, spell)) || this.waiting.length >= MOST_WAITING);
    if (!isOne) return void this.waiting.push(spell);
    if (beginsAtUs(spell) < beginsAtUs(last)) last.fromUs = spell.fromUs;
    last.toUs = Math.max(last.toUs, spell.toUs);
  }

  private async keep(): Promise<void> {
    try {
      this.endsAtStart ??= await this.readEnds();
      this.endsRead.resolve();
    } catch (error) {
      this.logger.warn(`Feeds wait for where their series ended, which cannot be read: ${(error as Error).message}`);
      return;
    }
    let spell: Spell | undefined;
    try {
      // taken out first: what is being kept cannot be extended
      while ((spell = this.waiting.shift())) await this.keepOne(spell, this.endsAtStart);
    } catch (error) {
      this.waiting.unshift(spell!);
      this.logger.warn(`${this.waiting.length} spells without a listener wait to be kept: ${(error as Error).message}`);
    }
  }

  private async readEnds(): Promise<ReadonlyMap<string, Ends>> {
    return new Map(await Promise.all(UNNUMBERED.map(async (id) => [id, await this.coverage.ends(id)] as const)));
  }

  private async keepOne({ reason, fromUs, toUs, ...key }: Spell, atStart: ReadonlyMap<string, Ends>): Promise<void> {
    const ends = fromUs === undefined ? atStart.get(key.source) : await this.coverage.ends(key.source);
    const end = ends?.get(key.venueSymbol);
    // a series that begins later says by itself that nothing is known of the time before
    if (!end) return;
    const sinceUs = fromUs ?? receivedAtUs(end.nextId - 1n);
    if (sinceUs >= toUs) return;
    await this.gaps.openUnfillable({ ...key, ...unheard(sinceUs, toUs) }, reason);
    this.logger.warn(`${key.symbol}: trades of ${Math.round((toUs - sinceUs) / 1e6)} s were not heard: ${reason}`);
  }
}

/** One that began in an earlier process begins before all others. */
const beginsAtUs = ({ fromUs }: Spell): number => fromUs ?? -Infinity;
/** Of spells that both began in this process. */
const touch = (one: Spell, other: Spell): boolean =>
  one.fromUs !== undefined &&
  other.fromUs !== undefined &&
  Math.max(one.fromUs, other.fromUs) - Math.min(one.toUs, other.toUs) <= JOIN_WITHIN_US;

import type { AnomalyKind } from '../../contracts/index.js';
import type { InputRef } from '../conditions/index.js';
import { fail, passTime, step, type Stepped } from '../episodes/episode.js';
import { type Market, type MarketTrade, topicsOf } from '../inputs/index.js';
import type { RuleTransition, RunningRule } from './running-rule.js';
import { InputTable, isQuiet, Watch } from './watch.js';

const SECOND_US = 1_000_000;
const MINUTE_US = 60_000_000;
/** A shorter one, such as a quick restart's, is none: what was going on went on. */
const BREAK_US = 10 * SECOND_US;

/**
 * Rules over one market, trade by trade: what decides, live, in a backtest and in a rule test alike.
 *
 * Its clock only goes forward, and what it looks at, and when, follows from the order of what it is given alone: at every
 * trade, what reads something that changed; at every full minute, everything, since windows move and candles close then;
 * at every full second, what reads `feed_age_s`. So it comes to the same however often time is passed in between.
 *
 * Transitions come in the order of their instants; at one instant what came due stands before what was seen, and each in the
 * order of the rules. Only what came due while nobody looked comes later, with the first look.
 */
export class Evaluation {
  /** Until when everything was looked at; undefined until it begins. */
  private clockUs: number | undefined;
  /** It goes on after a break, and nothing came since. */
  private isResumed = false;
  /** Since when nothing was heard of the feed. */
  private silentSinceUs: number | undefined;
  /** When it is heard again, once time comes to that. */
  private backUs = Infinity;
  private inputs: readonly InputRef[] = [];
  private topics = new Int32Array(0);
  private values = new Float64Array(0);
  /** What the values were read at. */
  private mark = 0;
  private readers: Watch[][] = [];
  private watches: Watch[] = [];
  /** The input `feed_age_s`, and what reads it. */
  private age = -1;
  private agers: Watch[] = [];
  /** Watches whose state time alone changes, and the first instant that it does so at. */
  private dueUs = Infinity;
  private look = 0;
  private out: RuleTransition[] = [];
  /** Conditions evaluated. */
  evaluations = 0;

  constructor(
    private readonly market: Market,
    rules: readonly RunningRule[],
  ) {
    this.run(rules);
  }

  get rules(): readonly RunningRule[] {
    return this.watches.map(({ rule }) => rule);
  }

  get nowUs(): number | undefined {
    return this.clockUs;
  }

  /** Puts other rules in place of those that run; one that is the same object goes on where it stands. */
  run(rules: readonly RunningRule[]): void {
    const kept = new Map(this.watches.map((watch) => [watch.rule, watch]));
    const inputs = new InputTable();
    this.watches = rules.map((rule) => {
      const watch = kept.get(rule) ?? new Watch(rule);
      watch.reads(inputs);
      return watch;
    });
    this.inputs = inputs.all;
    this.topics = Int32Array.from(inputs.all, topicsOf);
    this.market.want(inputs.all);
    this.values = new Float64Array(inputs.all.length).fill(NaN);
    this.readers = inputs.all.map((_, index) => this.watches.filter((watch) => watch.readsInput(index)));
    this.age = inputs.all.findIndex((input) => input.kind === 'variable' && input.name === 'feed_age_s');
    this.agers = this.readers[this.age] ?? [];
    this.findDue();
    if (this.clockUs === undefined) return;
    this.refresh();
    for (const watch of this.watches) watch.load(this.values);
  }

  /**
   * Where evaluation goes on in a market that knows what was before. What came due in a break waits for the first look after
   * it: a condition that nobody looked at has not held.
   */
  resume(atUs: number): void {
    this.start(atUs);
    this.isResumed = true;
  }

  /** Begins in a market that knows what was before. */
  start(atUs: number): void {
    this.clockUs = atUs;
    this.market.advance(atUs);
    this.refresh();
    // crossings are seen from here on
    for (const watch of this.watches) watch.prime(this.values, this.market);
  }

  /** The feed is lost already: nothing is known until it is heard. */
  startLost(sinceUs: number): void {
    this.silentSinceUs = sinceUs;
  }

  /** Goes on where another evaluation of the same market stands, whose market knew less of what was before. */
  takeOver(earlier: Evaluation): void {
    this.isResumed = earlier.isResumed;
    this.silentSinceUs = earlier.silentSinceUs;
    this.backUs = earlier.backUs;
    this.evaluations = earlier.evaluations;
    const before = new Map(earlier.watches.map((watch) => [watch.rule, watch]));
    for (const watch of this.watches) {
      const known = before.get(watch.rule);
      if (known) watch.takeOver(known);
      else watch.isSeen = false;
    }
    this.findDue();
  }

  /** A trade that is too old to be told of: the market knows it, the rules look again at the next one. */
  absorb(trade: MarketTrade): boolean {
    this.clockUs = Math.max(trade.tradedAtUs, this.clockUs ?? -Infinity);
    this.breakOff();
    return this.market.take(trade);
  }

  /** Nobody looks until something comes again. */
  breakOff(): void {
    this.isResumed = true;
    for (const watch of this.watches) watch.isSeen = false;
    this.dueUs = Infinity;
  }

  /**
   * A trade; undefined when it is older than the last one. One that is older only than time that has passed is news all the
   * same: it is looked at as of now.
   */
  take(trade: MarketTrade): readonly RuleTransition[] | undefined {
    if (trade.tradedAtUs < (this.market.lastTradedAtUs ?? -Infinity)) return undefined;
    const atUs = Math.max(trade.tradedAtUs, this.clockUs ?? -Infinity);
    this.pass(atUs);
    this.market.take(trade);
    if (this.silentSinceUs === undefined) this.lookAtChanged(atUs);
    else this.feedIsBack(atUs);
    return this.flush();
  }

  /** Time passes without a trade. */
  passTime(nowUs: number): readonly RuleTransition[] {
    this.pass(nowUs);
    return this.flush();
  }

  /** It is looked at now, whenever it was: anomalies are found some time after they began. */
  tellAnomaly(kind: AnomalyKind, atUs: number): readonly RuleTransition[] {
    this.market.tell(kind, atUs);
    return this.told((input) => input.kind === 'anomaly');
  }

  tellSentiment(value: number, atUs: number): readonly RuleTransition[] {
    this.market.tellSentiment(value, atUs);
    return this.told((input) => input.kind === 'variable' && input.name === 'sentiment');
  }

  /** A point of a custom series, which may be ahead of the trades; one that is older than the last one is no news. */
  tellCustom(name: string, value: number, atUs: number): readonly RuleTransition[] {
    const { market } = this;
    const isRead = (input: InputRef): boolean => input.kind === 'custom' && input.name === name;
    const read = market.makeRoomForCustom(name, atUs);
    if (market.tellCustom(name, value, atUs)) this.lookAtReaders(isRead, atUs);
    if (read) {
      market.readCustom(name, read);
      this.lookAtReaders(isRead, read.atUs);
    }
    return this.flush();
  }

  /** Trades of a stretch are missing. */
  miss(fromUs: number, toUs: number): void {
    this.market.miss(fromUs, toUs);
  }

  /** The feed is lost since an instant: from now on nothing is known, and the rules' no-data policies count from then. */
  lose(sinceUs: number): readonly RuleTransition[] {
    if (this.silentSinceUs !== undefined || this.clockUs === undefined) return NONE;
    this.silentSinceUs = Math.min(sinceUs, this.clockUs);
    this.lookAtReadersOfMarket(this.clockUs);
    return this.flush();
  }

  /** The feed is heard again from an instant on, or from the first trade where that is earlier. */
  regain(atUs: number): readonly RuleTransition[] {
    if (this.silentSinceUs === undefined || this.clockUs === undefined) return NONE;
    this.backUs = Math.max(atUs, this.clockUs);
    this.pass(this.clockUs);
    return this.flush();
  }

  private flush(): readonly RuleTransition[] {
    const { out } = this;
    this.out = [];
    return out;
  }

  private told(isRead: (input: InputRef) => boolean): readonly RuleTransition[] {
    this.lookAtReaders(isRead, -Infinity);
    return this.flush();
  }

  /**
   * Something was told beside the trades: whatever reads it is looked at, and nothing else, as of its instant where that is
   * ahead. A minute that begins before it is looked at first, as it would be if the trades were there.
   */
  private lookAtReaders(isRead: (input: InputRef) => boolean, toldUs: number): void {
    const { clockUs, inputs, values, readers, market } = this;
    if (clockUs === undefined) return;
    market.advance(clockUs);
    const look = ++this.look;
    for (const [index, input] of inputs.entries()) {
      if (!isRead(input)) continue;
      values[index] = market.value(input);
      for (const watch of readers[index]!) watch.changed = look;
    }
    for (const watch of this.watches) {
      if (watch.changed !== look) continue;
      const minuteUs = (Math.floor(Math.max(clockUs, watch.aheadUs) / MINUTE_US) + 1) * MINUTE_US;
      if (watch.isSeen && minuteUs <= toldUs) this.lookAt(watch, minuteUs);
      watch.load(values);
      watch.aheadUs = Math.max(watch.aheadUs, toldUs);
      this.lookAt(watch, clockUs);
    }
  }

  /** After a longer break nobody knows what was in it: nothing is looked at before its end. */
  private wake(toUs: number): void {
    const { clockUs } = this;
    this.isResumed = false;
    if (clockUs === undefined) return;
    if (toUs - clockUs <= BREAK_US) {
      for (const watch of this.watches) watch.goesOn();
      return this.findDue();
    }
    this.clockUs = toUs;
    this.market.advance(toUs);
    this.hear(toUs);
    this.refresh();
  }

  /** Goes through every instant until `toUs` that something is looked at for time alone. */
  private pass(toUs: number): void {
    if (this.isResumed) this.wake(toUs);
    if (this.clockUs === undefined) {
      this.clockUs = toUs;
      this.market.advance(toUs);
      this.hear(toUs);
      return;
    }
    const { backUs } = this;
    if (backUs <= toUs) {
      this.walk(backUs);
      this.feedIsBack(Math.max(backUs, this.clockUs));
    }
    this.walk(toUs);
  }

  private walk(toUs: number): void {
    let clockUs = this.clockUs!;
    for (;;) {
      const stepUs = this.agers.length > 0 ? SECOND_US : MINUTE_US;
      const nextUs = (Math.floor(clockUs / stepUs) + 1) * stepUs;
      if (nextUs > toUs) break;
      this.reach((clockUs = nextUs));
    }
    if (toUs <= clockUs) return;
    this.clockUs = toUs;
    this.passDue(toUs);
  }

  private reach(atUs: number): void {
    this.clockUs = atUs;
    this.passDue(atUs);
    this.market.advance(atUs);
    this.hear(atUs);
    const isMinute = atUs % MINUTE_US === 0;
    // what else changed meanwhile is not seen before it would be without rules that read the age
    if (isMinute) this.refresh();
    else this.values[this.age] = this.market.value(this.inputs[this.age]!);
    for (const watch of isMinute ? this.watches : this.agers) {
      if (watch.aheadUs > atUs && watch.hasSeen(this.values)) continue;
      watch.load(this.values);
      this.lookAt(watch, atUs);
    }
  }

  /** While it is not lost, the feed counts as heard: its age is 0 until it is lost, and then the length of that silence. */
  private hear(atUs: number): void {
    this.market.hear(this.silentSinceUs ?? atUs);
  }

  /** Instant by instant, and at one instant in the order of the rules. */
  private passDue(toUs: number): void {
    while (this.dueUs <= toUs) {
      const atUs = this.dueUs;
      for (const watch of this.watches) {
        const { state } = watch.rule;
        if (state.dueUs === undefined || state.dueUs > atUs || !watch.isSeen) continue;
        this.keep(watch, passTime(state, atUs, watch.rule.policy));
      }
      this.findDue();
    }
  }

  private lookAtChanged(atUs: number): void {
    const look = ++this.look;
    const { inputs, topics, values, readers, market } = this;
    const moved = market.changedSince(this.mark);
    this.mark = market.mark;
    for (let index = 0; index < inputs.length; index++) {
      if ((topics[index]! & moved) === 0) continue;
      const value = market.value(inputs[index]!);
      const before = values[index]!;
      if (value === before || (value !== value && before !== before)) continue;
      values[index] = value;
      for (const watch of readers[index]!) watch.changed = look;
    }
    for (const watch of this.watches) {
      if (watch.changed !== look && watch.isSeen) continue;
      watch.load(values);
      this.lookAt(watch, atUs);
    }
  }

  /** The feed is back: what reads nothing that changed is known again all the same. */
  private feedIsBack(atUs: number): void {
    this.silentSinceUs = undefined;
    this.backUs = Infinity;
    this.market.advance(atUs);
    this.hear(atUs);
    this.refresh();
    this.lookAtReadersOfMarket(atUs);
  }

  private lookAtReadersOfMarket(atUs: number): void {
    for (const watch of this.watches) {
      if (!watch.rule.readsMarket && watch.isSeen) continue;
      watch.load(this.values);
      this.lookAt(watch, atUs);
    }
  }

  private refresh(): void {
    this.mark = this.market.mark;
    for (const [index, input] of this.inputs.entries()) this.values[index] = this.market.value(input);
  }

  private lookAt(watch: Watch, instantUs: number): void {
    this.evaluations++;
    const atUs = Math.max(instantUs, watch.aheadUs);
    const { rule } = watch;
    const before = rule.state;
    const seen = watch.see(this.market, atUs, atUs < this.backUs ? this.silentSinceUs : undefined);
    if (seen === undefined) return void this.keep(watch, fail(before, atUs, rule.policy));
    if (watch.isSeen && isQuiet(before, seen.fires, atUs)) return;
    if (!watch.isSeen) {
      this.keep(watch, watch.firstLook(seen));
      this.dueUs = Math.min(this.dueUs, rule.state.dueUs ?? Infinity);
    }
    this.keep(watch, step(rule.state, seen, rule.policy));
  }

  private keep(watch: Watch, { state, transitions }: Stepped): void {
    const { rule } = watch;
    const before = rule.state;
    if (state === before) return;
    rule.state = state;
    if (state.dueUs !== undefined) this.dueUs = Math.min(this.dueUs, state.dueUs);
    if (transitions.length > 0 || state.isDisarmed !== before.isDisarmed)
      this.out.push({ rule, before, after: state, transitions });
  }

  private findDue(): void {
    this.dueUs = this.watches.reduce((least, { rule, isSeen }) => {
      return isSeen ? Math.min(least, rule.state.dueUs ?? Infinity) : least;
    }, Infinity);
  }
}

const NONE: readonly RuleTransition[] = [];

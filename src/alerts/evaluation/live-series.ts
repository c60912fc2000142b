import { type InputRef, inputKey } from '../conditions/index.js';
import type { MarketTrade } from '../inputs/index.js';
import { inputsOf } from '../rules/rule.js';
import { Evaluation } from './evaluation.js';
import type { RuleTransition, RunningRule } from './running-rule.js';
import { beforeIt, type HistoricalTrade, inOrder, type MarketKey, type TradePosition } from './trade-position.js';
import { type MarketPast, marketFrom } from './warm-market.js';

/** Trades kept while history is read; a reading that takes longer starts anew. */
const MOST_MEANWHILE = 100_000;
/** Older ones are not told of: a market that was long away is not worth a flood of mails. */
const MOST_AGE_US = 20 * 60_000_000;

type Telling = (evaluation: Evaluation) => readonly RuleTransition[];
export type Taken = Readonly<{ transitions: readonly RuleTransition[]; late: number; stale: number }>;

/** A series that rules watch: its market as far as it was evaluated, and the rules over it. */
export class LiveSeries {
  private running: readonly RunningRule[] = [];
  /** Custom series that some rule reads. */
  private customRead = new Set<string>();
  private evaluation: Evaluation | undefined;
  private meanwhile: HistoricalTrade[] | undefined;
  private toldMeanwhile: Telling[] = [];
  /** The market does not know what some rule asks of the past. */
  private isCold = false;
  /** What was before could not be read. */
  lacksHistory = false;
  /** Trades that a feed brought and that were not evaluated yet. */
  private awaited: Readonly<{ tradedAtUs: number; sinceUs: number }> | undefined;

  constructor(
    readonly key: MarketKey,
    public position: TradePosition | undefined,
    /** Since when the feed is lost. */
    private readonly lostSinceUs: () => number | undefined = () => undefined,
  ) {}

  get rules(): readonly RunningRule[] {
    return this.running;
  }

  get evaluations(): number {
    return this.evaluation?.evaluations ?? 0;
  }

  get needsHistory(): boolean {
    return this.isCold && this.running.length > 0;
  }

  get inputs(): readonly InputRef[] {
    return inputsOf(this.running);
  }

  reads(customSeries: string): boolean {
    return this.customRead.has(customSeries);
  }

  /** Rules that read only what the market knows already run at once; else all go on as they are until it is warm. */
  setRules(rules: readonly RunningRule[]): void {
    const known = new Set(inputsOf(this.running).map((input) => inputKey(input)));
    const isNews = inputsOf(rules).some((input) => !known.has(inputKey(input)));
    this.running = rules;
    this.customRead = new Set(inputsOf(rules).flatMap((input) => (input.kind === 'custom' ? input.name : [])));
    if (isNews || !this.evaluation) this.isCold = true;
    const warm = this.isCold ? new Set(this.evaluation?.rules) : undefined;
    this.evaluation?.run(warm ? rules.filter((rule) => warm.has(rule)) : rules);
  }

  /** A series that nobody has heard of has no past; what is told beside the trades may be known for long. */
  startEmpty(): void {
    this.begin({ bars: new Map(), trades: [], anomalies: [], points: new Map(), sentiment: undefined }, []);
    this.isCold = this.inputs.some(isTold);
  }

  /** From now on trades are kept, to be put behind what history says. Returns where that has to end. */
  keepMeanwhile(): TradePosition | undefined {
    this.meanwhile = [];
    this.toldMeanwhile = [];
    return this.position;
  }

  /** Puts a market that knows the past in place of the one there is; false when too much came meanwhile. */
  warm(past: MarketPast, rules: readonly RunningRule[]): boolean {
    const { meanwhile } = this;
    this.meanwhile = undefined;
    if (!meanwhile || meanwhile.length > MOST_MEANWHILE || this.toldMeanwhile.length > MOST_MEANWHILE) return false;
    this.begin(past, meanwhile);
    this.lacksHistory = false;
    this.isCold = this.running.length !== rules.length || this.running.some((rule, index) => rule !== rules[index]);
    if (this.isCold) this.evaluation!.run(this.running.filter((rule) => rules.includes(rule)));
    return true;
  }

  /** History could not be read: better without than not at all. What was before is missing, and not nothing. */
  giveUpHistory(nowUs: number): void {
    this.meanwhile = undefined;
    if (!this.evaluation) {
      this.startEmpty();
      this.miss(0, this.position?.tradedAtUs ?? nowUs);
    }
    this.evaluation!.run(this.running);
    this.isCold = false;
    this.lacksHistory = true;
  }

  /** New trades in any order. */
  take(trades: readonly HistoricalTrade[], nowUs: number, hasAge: boolean): Taken {
    const all: RuleTransition[] = [];
    let [late, stale] = [0, 0];
    for (const trade of trades.toSorted(inOrder)) {
      if (this.position && !beforeIt(this.position, trade)) {
        late++;
        continue;
      }
      this.position = { tradedAtUs: trade.tradedAtUs, tradeId: trade.tradeId };
      if (this.meanwhile && this.meanwhile.length <= MOST_MEANWHILE) this.meanwhile.push(trade);
      if (!this.evaluation) continue;
      if (hasAge && trade.tradedAtUs < nowUs - MOST_AGE_US) {
        stale++;
        this.evaluation.absorb(trade);
        continue;
      }
      this.leap(this.evaluation, trade.tradedAtUs);
      const transitions = this.evaluation.take(trade);
      if (transitions === undefined) late++;
      else all.push(...transitions);
    }
    if (this.awaited && this.position && this.awaited.tradedAtUs <= this.position.tradedAtUs) this.awaited = undefined;
    return { transitions: all, late, stale };
  }

  /** A feed brought a trade that will be recorded, and then come here. */
  expect(tradedAtUs: number, nowUs: number): void {
    if (this.position && tradedAtUs <= this.position.tradedAtUs) return;
    this.awaited = {
      tradedAtUs: Math.max(tradedAtUs, this.awaited?.tradedAtUs ?? 0),
      sinceUs: this.awaited?.sinceUs ?? nowUs,
    };
  }

  /** Time passes, but not beyond trades that are on their way. */
  passTime(toUs: number, nowUs: number): readonly RuleTransition[] {
    if (!this.evaluation) return [];
    if (this.awaited && nowUs - this.awaited.sinceUs > AWAITED_AT_MOST_US) this.awaited = undefined; // it was refused
    const untilUs = this.awaited ? Math.min(toUs, this.position?.tradedAtUs ?? toUs) : toUs;
    this.leap(this.evaluation, untilUs);
    return this.evaluation.passTime(untilUs);
  }

  /** Trades are missing: what looks at that stretch has no data, until they are found and history is read again. */
  miss(fromUs: number, toUs: number): void {
    this.evaluation?.miss(fromUs, toUs);
  }

  /** History is not what it was. */
  cool(): void {
    this.isCold = true;
  }

  tell(how: Telling): readonly RuleTransition[] {
    if (this.meanwhile && this.toldMeanwhile.length <= MOST_MEANWHILE) this.toldMeanwhile.push(how);
    return this.evaluation ? how(this.evaluation) : [];
  }

  /** A value of long ago may be the last one there is: the years since then are not gone through by the minute. */
  private leap(evaluation: Evaluation, toUs: number): void {
    if (evaluation.nowUs !== undefined && toUs - evaluation.nowUs > MOST_AGE_US) evaluation.breakOff();
  }

  private begin(past: MarketPast, meanwhile: readonly MarketTrade[]): void {
    const before = this.evaluation;
    const market = marketFrom(this.key, this.inputs, past, meanwhile);
    this.evaluation = new Evaluation(market, this.running);
    for (const how of this.toldMeanwhile) how(this.evaluation); // it does not run yet, so its market hears of it alone
    this.toldMeanwhile = [];
    const clockUs = before?.nowUs ?? market.lastTradedAtUs;
    if (clockUs !== undefined) this.evaluation.resume(clockUs);
    const lostSinceUs = this.lostSinceUs();
    if (before) this.evaluation.takeOver(before);
    else if (lostSinceUs !== undefined) this.evaluation.startLost(lostSinceUs);
    this.isCold = false;
  }
}

const isTold = (input: InputRef): boolean =>
  input.kind === 'custom' || (input.kind === 'variable' && input.name === 'sentiment');

const AWAITED_AT_MOST_US = 60_000_000;

import { type Condition, type InputRef, inputKey } from '../conditions/index.js';
import { type EpisodeState, type Observation, step, type Stepped } from '../episodes/episode.js';
import type { Market } from '../inputs/index.js';
import type { RunningRule } from './running-rule.js';

/** The distinct inputs of many conditions. */
export class InputTable {
  readonly all: InputRef[] = [];
  private readonly places = new Map<string, number>();

  placeOf(input: InputRef): number {
    const name = inputKey(input);
    const known = this.places.get(name);
    if (known !== undefined) return known;
    this.places.set(name, this.all.length);
    return this.all.push(input) - 1;
  }
}

/** A condition with its slots and what it remembers. */
class Reading {
  private places = new Int32Array(0);
  readonly slots: Float64Array;
  private readonly memory: Float64Array;

  constructor(private readonly condition: Condition) {
    this.slots = new Float64Array(condition.inputs.length).fill(NaN);
    this.memory = new Float64Array(condition.memory).fill(NaN);
  }

  get remembers(): boolean {
    return this.memory.length > 0;
  }

  reads(inputs: InputTable): void {
    this.places = Int32Array.from(this.condition.inputs, (input) => inputs.placeOf(input));
  }

  readsInput(index: number): boolean {
    return this.places.includes(index);
  }

  load(values: Float64Array): void {
    const { places, slots } = this;
    for (let slot = 0; slot < places.length; slot++) slots[slot] = values[places[slot]!]!;
  }

  /** What another reading of the same condition remembers. */
  recall({ memory }: Reading): void {
    if (!memory.every(Number.isNaN)) this.memory.set(memory);
  }

  hasSeen(values: Float64Array): boolean {
    return this.places.every((place, slot) => Object.is(values[place], this.slots[slot]));
  }

  verdict(market: Market): boolean | undefined {
    return this.condition.evaluate(this.slots, this.memory, market.key);
  }
}

/** One rule over the market, and what it reads of it. */
export class Watch {
  /** Number of the look that found something changed. */
  changed = 0;
  /** It was looked at since it began to run. */
  isSeen = false;
  /** Where a point took it ahead of the trades: what comes later is seen no earlier. */
  aheadUs: number;
  private readonly fires: Reading;
  private readonly resolves: Reading | undefined;

  constructor(readonly rule: RunningRule) {
    const { phase, sinceUs } = rule.state;
    this.aheadUs = phase === 'inactive' ? -Infinity : sinceUs;
    this.fires = new Reading(rule.condition);
    this.resolves = rule.resolveCondition && new Reading(rule.resolveCondition);
  }

  reads(inputs: InputTable): void {
    this.fires.reads(inputs);
    this.resolves?.reads(inputs);
  }

  readsInput(index: number): boolean {
    return this.fires.readsInput(index) || this.resolves?.readsInput(index) === true;
  }

  load(values: Float64Array): void {
    this.fires.load(values);
    this.resolves?.load(values);
  }

  /** These are what it saw last. */
  hasSeen(values: Float64Array): boolean {
    return this.fires.hasSeen(values) && this.resolves?.hasSeen(values) !== false;
  }

  /** Lets crossings know where things stand. */
  prime(values: Float64Array, market: Market): void {
    this.load(values);
    this.fires.verdict(market);
    this.resolves?.verdict(market);
  }

  /** Goes on where another watch of the same rule stands. */
  takeOver(earlier: Watch): void {
    this.isSeen = earlier.isSeen;
    this.aheadUs = Math.max(this.aheadUs, earlier.aheadUs);
    this.fires.recall(earlier.fires);
    if (earlier.resolves) this.resolves?.recall(earlier.resolves);
  }

  /** It was looked at until a moment ago, in another life. */
  goesOn(): void {
    const { sinceUs, missingSinceUs } = this.rule.state;
    if (sinceUs > 0 || missingSinceUs !== undefined) this.isSeen = true;
  }

  /** What came due while nobody looked is as what is seen first says; only, nothing began then. */
  firstLook(seen: Observation): Stepped {
    this.isSeen = true;
    const { state, policy } = this.rule;
    if (state.dueUs === undefined || state.dueUs > seen.atUs) return { state, transitions: [] };
    const atUs = Math.max(state.sinceUs, state.dueUs - 1);
    const fires = state.phase === 'inactive' && seen.fires === true ? false : seen.fires;
    return step(state, { ...seen, atUs, fires }, policy);
  }

  /** What the rule sees now; undefined when its condition cannot be evaluated. */
  see(market: Market, atUs: number, silentSinceUs: number | undefined): Observation | undefined {
    try {
      const fires = this.fires.verdict(market);
      const resolves =
        this.resolves && (this.mayBeOpen || this.resolves.remembers) ? this.resolves.verdict(market) : undefined;
      const first = this.fires.slots[0];
      const value = first === undefined || Number.isNaN(first) ? null : first;
      if (silentSinceUs !== undefined && this.rule.needsFeed)
        return { atUs, fires: undefined, resolves: undefined, value: null, missingSinceUs: silentSinceUs };
      return { atUs, fires, resolves, value };
    } catch {
      return undefined;
    }
  }

  /** One that is pending may have begun to fire by the instant of this look. */
  private get mayBeOpen(): boolean {
    const { phase, resumes } = this.rule.state;
    return (resumes?.phase ?? phase) !== 'inactive';
  }
}

/** Nearly every look: nothing is made for these. */
export const isQuiet = (state: EpisodeState, fires: boolean | undefined, atUs: number): boolean =>
  fires === false &&
  state.phase === 'inactive' &&
  state.missingSinceUs === undefined &&
  state.isDisarmed === undefined &&
  (state.dueUs === undefined || state.dueUs > atUs);

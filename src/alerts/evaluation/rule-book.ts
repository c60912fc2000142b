import type { EpisodeState } from '../episodes/episode.js';
import { type CompiledRule, compileRule, type StoredRule, watches } from '../rules/rule.js';
import { type RunningRule, runningRule } from './running-rule.js';
import { keyText, type MarketKey } from './trade-position.js';

type Entry = {
  rule: StoredRule;
  compiled: CompiledRule;
  /** By series. */
  readonly running: Map<string, RunningRule>;
  /** As they were stored when it was loaded. */
  readonly states: Map<string, EpisodeState>;
};

type StateRow = MarketKey & Readonly<{ ruleId: string; state: EpisodeState }>;

/** Every rule that is to be evaluated, and the one object that each of its series runs by. */
export class RuleBook {
  private readonly entries = new Map<string, Entry>();
  /** By each symbol that they name, or `*`. */
  private readonly bySymbol = new Map<string, Set<Entry>>();
  private owners = new WeakMap<RunningRule, Entry>();

  get size(): number {
    return this.entries.size;
  }

  /** Begins anew; returns what of it cannot be used, in words. */
  load(rules: readonly StoredRule[], states: readonly StateRow[]): string[] {
    this.entries.clear();
    this.bySymbol.clear();
    return this.reload([], rules, states).faults;
  }

  /**
   * Puts these in place of those of these ids. A rule goes on as it runs where its fingerprint and its stored state are what
   * they were; `gone` run no longer, and series that are `touched` run other rules.
   */
  reload(ids: readonly string[], rules: readonly StoredRule[], states: readonly StateRow[]) {
    const faults: string[] = [];
    const gone: RunningRule[] = [];
    const changed = [...rules, ...ids.flatMap((id) => this.entries.get(id)?.rule ?? [])];
    const byRule = Map.groupBy(states, ({ ruleId }) => ruleId);
    const before = new Map(ids.flatMap((id) => (this.entries.has(id) ? [[id, this.entries.get(id)!] as const] : [])));
    for (const entry of before.values()) this.drop(entry);
    for (const rule of rules) {
      const known = before.get(rule.id);
      const rows = new Map((byRule.get(rule.id) ?? []).map((row) => [keyText(row), row.state]));
      try {
        this.put(known?.rule.fingerprint === rule.fingerprint ? known : entryOf(rule, rows));
      } catch (error) {
        faults.push(`Rule ${rule.id} cannot be evaluated: ${(error as Error).message}`);
      }
    }
    for (const [id, entry] of before) {
      const rule = rules.find((one) => one.id === id);
      if (this.entries.get(id) !== entry) gone.push(...entry.running.values());
      else if (rule) gone.push(...this.refresh(entry, rule, byRule.get(id) ?? []));
    }
    return { faults, gone, touched: (key: MarketKey): boolean => changed.some((rule) => watches(rule, key)) };
  }

  isWatched(key: MarketKey): boolean {
    return this.watching(key).length > 0;
  }

  runningAt(key: MarketKey): RunningRule[] {
    const running: RunningRule[] = [];
    for (const entry of this.watching(key)) {
      let one = entry.running.get(keyText(key));
      if (!one) {
        one = runningRule(entry.rule.id, entry.compiled, entry.states.get(keyText(key)));
        entry.running.set(keyText(key), one);
        this.owners.set(one, entry);
      }
      running.push(one);
    }
    return running;
  }

  /** It is not where it stands in memory: it begins anew from what is stored. */
  forget(running: RunningRule): void {
    for (const [key, one] of this.owners.get(running)?.running ?? [])
      if (one === running) this.owners.get(running)!.running.delete(key);
  }

  /** The rule as it reads now; undefined where it is gone. */
  ruleOf(running: RunningRule): StoredRule | undefined {
    const entry = this.owners.get(running);
    return entry && this.entries.get(entry.rule.id) === entry ? entry.rule : undefined;
  }

  private watching(key: MarketKey): Entry[] {
    return [key.symbol, '*']
      .flatMap((symbol) => [...(this.bySymbol.get(symbol) ?? [])])
      .filter(({ rule }) => watches(rule, key));
  }

  private put(entry: Entry): void {
    this.entries.set(entry.rule.id, entry);
    for (const symbol of entry.rule.symbols) {
      const named = this.bySymbol.get(symbol);
      if (named) named.add(entry);
      else this.bySymbol.set(symbol, new Set([entry]));
    }
  }

  private drop(entry: Entry): void {
    this.entries.delete(entry.rule.id);
    for (const symbol of entry.rule.symbols) {
      const named = this.bySymbol.get(symbol);
      named?.delete(entry);
      if (named?.size === 0) this.bySymbol.delete(symbol);
    }
  }

  /** A name, an expiry or a channel changed, or a person resolved an alert. */
  private refresh(entry: Entry, rule: StoredRule, rows: readonly StateRow[]): RunningRule[] {
    entry.rule = rule;
    entry.compiled = compileRule(rule);
    for (const running of entry.running.values()) running.policy = entry.compiled.policy;
    const gone: RunningRule[] = [];
    const now = new Map(rows.map((row) => [keyText(row), row.state]));
    for (const [key, running] of entry.running) {
      if (running.storedVersion === now.get(key)?.version) continue;
      gone.push(running);
      entry.running.delete(key);
    }
    for (const [key, state] of now) entry.states.set(key, state);
    return gone;
  }
}

const entryOf = (rule: StoredRule, states: Map<string, EpisodeState>): Entry => ({
  rule,
  compiled: compileRule(rule),
  running: new Map(),
  states,
});

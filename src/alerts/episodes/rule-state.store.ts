import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { EpisodeState } from './episode.js';

export type SeriesKey = Readonly<{ source: string; symbol: string }>;
export type StoredState = SeriesKey & Readonly<{ ruleId: string; state: EpisodeState }>;

type Row = Readonly<{ rule_id: string; source: string; symbol: string; state: EpisodeState; version: number }>;
const STATE = 's.rule_id, s.source, s.symbol, s.state, s.version';

@Injectable()
export class RuleStateStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** All, or those of these rules. */
  async all(ruleIds?: readonly string[], tx: EntityManager = this.dataSource.manager): Promise<StoredState[]> {
    const rows = (await tx.query(
      `select ${STATE} from alerts.rule_state s where $1::text[] is null or s.rule_id = any($1) order by s.rule_id, s.source, s.symbol`,
      [ruleIds ?? null],
    )) as Row[];
    return rows.map(stateOf);
  }

  /** Of each, the version of its row, or undefined: it has none. */
  async versions(
    tx: EntityManager,
    keys: readonly (SeriesKey & Readonly<{ ruleId: string }>)[],
  ): Promise<(number | undefined)[]> {
    const rows = (await tx.query(
      `select s.version from unnest($1::text[], $2::text[], $3::text[]) with ordinality as k (rule_id, source, symbol, place)
       left join alerts.rule_state s using (rule_id, source, symbol) order by k.place`,
      [keys.map(({ ruleId }) => ruleId), keys.map(({ source }) => source), keys.map(({ symbol }) => symbol)],
    )) as { version: number | null }[];
    return rows.map(({ version }) => version ?? undefined);
  }

  /** Where one rule stands, by series, after a given one. */
  async page(ruleId: string, after: SeriesKey, limit: number): Promise<StoredState[]> {
    const rows = (await this.dataSource.query(
      `select ${STATE} from alerts.rule_state s where s.rule_id = $1 and (s.source, s.symbol) > ($2, $3)
       order by s.source, s.symbol limit $4`,
      [ruleId, after.source, after.symbol, limit],
    )) as Row[];
    return rows.map(stateOf);
  }

  /** Those of a rule, or of one of its series, locked until the transaction ends. */
  async lock(tx: EntityManager, ruleId: string, key?: SeriesKey): Promise<StoredState[]> {
    const rows = (await tx.query(
      `select ${STATE} from alerts.rule_state s
       where s.rule_id = $1 and ($2::text is null or (s.source = $2 and s.symbol = $3)) order by s.source, s.symbol for update`,
      [ruleId, key?.source ?? null, key?.symbol ?? null],
    )) as Row[];
    return rows.map(stateOf);
  }

  /**
   * Stores states whose row is still at the version they say, or that have no row where they say none. Returns how many
   * it stored: fewer than were given means that somebody else was first.
   */
  async save(tx: EntityManager, states: readonly StoredState[]): Promise<number> {
    const [made, kept] = [states.filter(isNew), states.filter((one) => !isNew(one))];
    let saved = 0;
    if (made.length > 0) {
      const rows = (await tx.query(
        `insert into alerts.rule_state (rule_id, source, symbol, state)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) on conflict do nothing returning 1`,
        columns(made),
      )) as unknown[];
      saved += rows.length;
    }
    if (kept.length > 0) {
      const [, updated] = (await tx.query(
        `update alerts.rule_state s set state = n.state, version = s.version + 1, changed_at = now()
         from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::int[]) as n (rule_id, source, symbol, state, version)
         where s.rule_id = n.rule_id and s.source = n.source and s.symbol = n.symbol and s.version = n.version`,
        [...columns(kept), kept.map(({ state }) => state.version)],
      )) as [unknown, number];
      saved += updated;
    }
    return saved;
  }

  async removeOf(tx: EntityManager, ruleId: string): Promise<void> {
    await tx.query('delete from alerts.rule_state where rule_id = $1', [ruleId]);
  }
}

const isNew = ({ state }: StoredState): boolean => state.version === undefined;

function columns(states: readonly StoredState[]): unknown[][] {
  return [
    states.map(({ ruleId }) => ruleId),
    states.map(({ source }) => source),
    states.map(({ symbol }) => symbol),
    states.map(({ state: { version: _version, ...state } }) => JSON.stringify(state)),
  ];
}

const stateOf = ({ rule_id, source, symbol, state, version }: Row): StoredState => ({
  ruleId: rule_id,
  source,
  symbol,
  state: { ...state, version },
});

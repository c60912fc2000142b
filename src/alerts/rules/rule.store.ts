import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { epochUs } from '../../platform/database/index.js';
import { fingerprintOf, type Rule, type StoredRule } from './rule.js';
import type { HeardSeries } from './watching.js';

const RULE = `r.id, r.body, r.fingerprint, r.version, ${epochUs('r.created_at')} as created_us, ${epochUs('r.changed_at')} as changed_us`;

type Row = Readonly<{
  id: string;
  body: Omit<Rule, 'id'>;
  fingerprint: string;
  version: number;
  created_us: string;
  changed_us: string;
}>;

export type RuleFilter = Readonly<{
  symbol?: string | undefined;
  severity?: string | undefined;
  enabled?: boolean | undefined;
  /** Only ids that come later in the alphabet. */
  afterId?: string | undefined;
}>;

@Injectable()
export class RuleStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Undefined when the id is taken. */
  async insert(tx: EntityManager, rule: Rule): Promise<StoredRule | undefined> {
    const { id, ...body } = rule;
    const rows = (await tx.query(
      `insert into alerts.rule as r (id, body, fingerprint) values ($1, $2, $3) on conflict (id) do nothing returning ${RULE}`,
      [id, JSON.stringify(body), fingerprintOf(rule)],
    )) as Row[];
    return rows.map(ruleOf)[0];
  }

  async update(tx: EntityManager, rule: Rule): Promise<StoredRule> {
    const { id, ...body } = rule;
    const [rows] = (await tx.query(
      `update alerts.rule r set body = $2, fingerprint = $3, version = nextval('alerts.version'), changed_at = now() where id = $1 returning ${RULE}`,
      [id, JSON.stringify(body), fingerprintOf(rule)],
    )) as [Row[], number];
    return ruleOf(rows[0]!);
  }

  /** Its states go with it. */
  async remove(tx: EntityManager, id: string): Promise<void> {
    await tx.query('delete from alerts.rule where id = $1', [id]);
  }

  /** Locked until the transaction ends: nothing is recorded of it meanwhile. */
  async lock(tx: EntityManager, id: string): Promise<StoredRule | undefined> {
    const rows = (await tx.query(`select ${RULE} from alerts.rule r where r.id = $1 for update`, [id])) as Row[];
    return rows.map(ruleOf)[0];
  }

  /** Ids whose fingerprint is still the given one, kept from being edited until the transaction ends. */
  async current(tx: EntityManager, rules: readonly Pick<StoredRule, 'id' | 'fingerprint'>[]): Promise<Set<string>> {
    const rows = (await tx.query(
      `select r.id from alerts.rule r join unnest($1::text[], $2::text[]) as g (id, fingerprint) using (id, fingerprint)
       order by r.id for share of r`,
      [rules.map(({ id }) => id), rules.map(({ fingerprint }) => fingerprint)],
    )) as { id: string }[];
    return new Set(rows.map(({ id }) => id));
  }

  async one(id: string): Promise<StoredRule | undefined> {
    const rows = (await this.dataSource.query(`select ${RULE} from alerts.rule r where r.id = $1`, [id])) as Row[];
    return rows.map(ruleOf)[0];
  }

  /** By id. */
  async page(filter: RuleFilter, limit: number): Promise<StoredRule[]> {
    const rows = (await this.dataSource.query(
      `select ${RULE} from alerts.rule r
       where ($1::text is null or r.id > $1) and ($2::text is null or r.body->'symbols' @> to_jsonb($2::text) or r.body->'symbols' = '"*"')
         and ($3::text is null or r.body->>'severity' = $3) and ($4::boolean is null or (r.body->>'enabled')::boolean = $4)
       order by r.id limit $5`,
      [filter.afterId ?? null, filter.symbol ?? null, filter.severity ?? null, filter.enabled ?? null, limit],
    )) as Row[];
    return rows.map(ruleOf);
  }

  /** What is to be evaluated: every rule that is enabled, or of these ids only. */
  async enabled(ids?: readonly string[], tx: EntityManager = this.dataSource.manager): Promise<StoredRule[]> {
    const rows = (await tx.query(
      `select ${RULE} from alerts.rule r where (r.body->>'enabled')::boolean and ($1::text[] is null or r.id = any($1)) order by r.id`,
      [ids ?? null],
    )) as Row[];
    return rows.map(ruleOf);
  }

  async count(tx: EntityManager): Promise<number> {
    const [row] = (await tx.query('select count(*)::int as rules from alerts.rule')) as [{ rules: number }];
    return row.rules;
  }

  /** Every series that rules were evaluated over, by symbol. */
  async heard(): Promise<ReadonlyMap<string, readonly HeardSeries[]>> {
    const rows = (await this.dataSource.query(
      'select source, symbol, traded_at_us::float8 as "lastUs" from alerts.position',
    )) as HeardSeries[];
    return Map.groupBy(rows, ({ symbol }) => symbol);
  }
}

const ruleOf = ({ id, body, fingerprint, version, created_us, changed_us }: Row): StoredRule => ({
  id,
  ...body,
  fingerprint,
  version,
  createdAtUs: Number(created_us),
  changedAtUs: Number(changed_us),
});

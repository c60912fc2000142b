import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type AnomalyDetectedV1Data,
  type AnomalyKind,
  type DetectorName,
  formatInstant,
  type Severity,
} from '../../contracts/index.js';
import type { SeriesKey } from '../candles/candle.store.js';

export type NewAnomaly = Omit<AnomalyDetectedV1Data, 'anomalyId'>;

/** Which of a series' anomalies are asked for; lists are alternatives. */
export type AnomalyFilter = Readonly<{
  kinds?: readonly AnomalyKind[] | undefined;
  detectors?: readonly DetectorName[] | undefined;
  severities?: readonly Severity[] | undefined;
}>;

type Row = Omit<NewAnomaly, 'atUs'> & Readonly<{ id: string; at_us: string }>;

const COLUMNS = `a.id, a.source, a.symbol, a.kind, a.detector, a.severity, a.score, a.threshold, a.value, a.expected, a.lower, a.upper,
  (extract(epoch from a.at) * 1000000)::bigint as at_us`;

@Injectable()
export class AnomalyStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** Records anomalies once each; returns those that were new. */
  async record(tx: EntityManager, found: readonly NewAnomaly[]): Promise<AnomalyDetectedV1Data[]> {
    const rows = (await tx.query(
      `insert into aggregation.anomaly as a (source, symbol, kind, detector, severity, score, threshold, value, expected, lower, upper, at)
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::float8[],
         $9::float8[], $10::float8[], $11::float8[], $12::timestamptz[])
       on conflict (source, symbol, at, kind, detector) do nothing
       returning ${COLUMNS}`,
      [
        found.map((one) => one.source),
        found.map((one) => one.symbol),
        found.map((one) => one.kind),
        found.map((one) => one.detector),
        found.map((one) => one.severity),
        found.map((one) => one.score),
        found.map((one) => one.threshold),
        found.map((one) => one.value),
        found.map((one) => one.expected),
        found.map((one) => one.lower),
        found.map((one) => one.upper),
        found.map((one) => formatInstant(one.atUs)),
      ],
    )) as Row[];
    return rows.map(anomalyOf);
  }

  /** At most `limit` anomalies with `at` in [fromUs, toUs), the first or the last of them beyond `position`, oldest first. */
  async range(
    key: SeriesKey,
    filter: AnomalyFilter,
    page: Readonly<{
      fromUs: number;
      toUs: number;
      direction: 'forward' | 'backward';
      position?: Readonly<{ atUs: number; id: string }> | undefined;
      limit: number;
    }>,
  ): Promise<AnomalyDetectedV1Data[]> {
    const [beyond, order] = page.direction === 'forward' ? ['>', 'asc'] : ['<', 'desc'];
    const rows = (await this.dataSource.query(
      `select ${COLUMNS} from aggregation.anomaly a
       where a.source = $1 and a.symbol = $2 and a.at >= $3 and a.at < $4
         and ($5::timestamptz is null or (a.at, a.id) ${beyond} ($5, $6::bigint))
         and ($7::text[] is null or a.kind = any($7)) and ($8::text[] is null or a.detector = any($8))
         and ($9::text[] is null or a.severity = any($9))
       order by a.at ${order}, a.id ${order} limit $10`,
      [
        key.source,
        key.symbol,
        formatInstant(page.fromUs),
        formatInstant(page.toUs),
        page.position === undefined ? null : formatInstant(page.position.atUs),
        page.position?.id ?? null,
        filter.kinds ?? null,
        filter.detectors ?? null,
        filter.severities ?? null,
        page.limit,
      ],
    )) as Row[];
    return (page.direction === 'forward' ? rows : rows.toReversed()).map(anomalyOf);
  }

  async latest(key: SeriesKey): Promise<AnomalyDetectedV1Data | undefined> {
    const rows = (await this.dataSource.query(
      `select ${COLUMNS} from aggregation.anomaly a where a.source = $1 and a.symbol = $2 order by a.at desc, a.id desc limit 1`,
      [key.source, key.symbol],
    )) as Row[];
    return rows.map(anomalyOf)[0];
  }
}

const anomalyOf = ({ id, at_us, ...found }: Row): AnomalyDetectedV1Data => ({
  anomalyId: id,
  ...found,
  atUs: Number(at_us),
});

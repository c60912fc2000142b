import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema `aggregation`: anomalies and the state of their detectors. */
export class AggregationAnomalies1700000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table aggregation.anomaly (
        id bigint generated always as identity primary key,
        source text not null,
        symbol text not null,
        kind text not null,
        detector text not null,
        severity text not null,
        score float8 not null,
        threshold float8 not null,
        value float8 not null,
        expected float8 not null,
        lower float8 not null,
        upper float8 not null,
        at timestamptz not null,
        detected_at timestamptz not null default now(),
        unique (source, symbol, at, kind, detector)
      );
      comment on column aggregation.anomaly.at is 'End of the scored minute, or the instant of the custom point.';

      create table aggregation.detector_state (
        source text not null,
        symbol text not null,
        state jsonb,
        samples bytea,
        changed_at timestamptz not null default now(),
        primary key (source, symbol)
      );
      alter table aggregation.detector_state alter column samples set storage external;
      comment on table aggregation.detector_state is 'What the detectors of a series know; its row is the lock of the series. Without a state they know nothing yet.';
      comment on column aggregation.detector_state.samples is 'The windows that state names, float8 little-endian, oldest first; not compressed, as it is noise.';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table aggregation.detector_state, aggregation.anomaly');
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DEFAULT_SETTINGS, type NotificationSettings } from './notification-settings.js';

@Injectable()
export class NotificationSettingsStore {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  /** What was never set is as by default. */
  async read(tx: EntityManager = this.dataSource.manager): Promise<NotificationSettings> {
    const rows = (await tx.query(`select body from alerts.settings`)) as { body: Partial<NotificationSettings> }[];
    return { ...DEFAULT_SETTINGS, ...rows[0]?.body };
  }

  /** As they are until `tx` ends: nobody else changes them meanwhile. */
  async lock(tx: EntityManager): Promise<NotificationSettings> {
    await tx.query('lock table alerts.settings in share row exclusive mode');
    return this.read(tx);
  }

  async write(tx: EntityManager, settings: NotificationSettings): Promise<void> {
    await tx.query(
      `insert into alerts.settings (body) values ($1) on conflict (one_row) do update set body = excluded.body, changed_at = now()`,
      [JSON.stringify(settings)],
    );
  }
}

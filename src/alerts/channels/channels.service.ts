import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppError, badParameter, type FieldFault } from '../../platform/errors/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { Item } from '../messages/notice.js';
import { NotificationSettingsStore } from './notification-settings.store.js';
import { type Text, textOf } from '../messages/texts.js';
import type { Answer } from './answer.js';
import {
  type Channel,
  type ChannelTarget,
  type ChannelType,
  type StoredChannel,
  styleOf,
  targetsOf,
} from './channel.js';
import { readConfig, strayedSecrets, withKeptSecrets } from './channel-config.js';
import { ChannelSender } from './channel-sender.service.js';
import { ChannelStore, MOST_CHANNELS } from './channel.store.js';
import { BlockedTarget, TargetGuard } from './target-guard.service.js';

type Config = Readonly<Record<string, unknown>>;
export type TestResult = Answer & Readonly<{ channel: string | null; durationMs: number }>;

const MOST_TESTED = 20;

@Injectable()
export class Channels {
  constructor(
    private readonly store: ChannelStore,
    private readonly settings: NotificationSettingsStore,
    private readonly sender: ChannelSender,
    private readonly guard: TargetGuard,
  ) {}

  async one(name: string): Promise<StoredChannel> {
    const found = await this.store.one(name);
    if (!found)
      throw new AppError(
        'channels.unknown',
        `there is no channel ${name.slice(0, 60)}; GET /api/v1/channels lists them`,
      );
    return found;
  }

  async create(name: string, type: ChannelType, given: Config): Promise<StoredChannel> {
    const target = await this.checked(type, withKeptSecrets(type, given, undefined));
    const created = await this.store.create(name, target);
    if (created === 'taken') throw new AppError('channels.name-taken', `there is a channel ${name} already`);
    if (created === 'full') throw new AppError('channels.too-many', `${MOST_CHANNELS} channels at most`);
    return this.one(name);
  }

  /**
   * What it had failed for may be mended: all that waits for it is tried again. `ifMatch`: versions that the caller has seen;
   * any other is not overwritten.
   */
  async replace(
    name: string,
    type: ChannelType,
    given: Config,
    ifMatch: readonly number[] | undefined,
  ): Promise<StoredChannel> {
    const stored = await this.matching(name, ifMatch);
    if (stored.type !== type) throw badParameter('type', `must stay ${stored.type}; make another channel`);
    const strayed = strayedSecrets(type, given, stored.config as Config);
    if (strayed.length > 0) throw faulty(strayed);
    const target = await this.checked(type, withKeptSecrets(type, given, stored.config as Config));
    // its secrets were kept of what was stored: of another version they may be others
    if (!(await this.store.update(name, stored.version, target))) return this.replace(name, type, given, ifMatch);
    await this.store.recover(name);
    return this.one(name);
  }

  async remove(name: string, ifMatch: readonly number[] | undefined): Promise<void> {
    const removed = await this.store.remove(name, (await this.matching(name, ifMatch)).version);
    if (removed === false) return this.remove(name, ifMatch);
    const { rules, isDefault } = removed;
    const naming = [
      ...(rules.length > 0 ? [`rules name it: ${rules.join(', ')}`] : []),
      ...(isDefault ? ['it is one of defaultChannels in the settings of notifications'] : []),
    ];
    if (naming.length > 0) throw new AppError('channels.in-use', naming.join('; '));
  }

  /** Sends a test the way notifications go; one that gets through proves the channel healthy. */
  async test(name: string): Promise<TestResult> {
    const channel = await this.one(name);
    const result = await this.tried(channel, name);
    if (result.result === 'sent') await this.store.recover(name, result.error);
    return result;
  }

  /** As `test`, of something that is not stored. */
  async testDraft(type: ChannelType, given: Config): Promise<TestResult> {
    const target = await this.checked(type, withKeptSecrets(type, given, undefined));
    return this.tried({ name: 'draft', ...target }, null);
  }

  /** Of every channel of a type. */
  async testAll(type: ChannelType): Promise<TestResult[]> {
    const channels = await this.store.page('', type, MOST_TESTED);
    if (channels.length === 0) throw new AppError('channels.unknown', `there is no ${type} channel`);
    return Promise.all(channels.map(({ name }) => this.test(name)));
  }

  /** What a firing would look like. */
  preview(channel: Channel, publicUrl: string | null): Text {
    return textOf(sampleItem(), styleOf(channel, publicUrl ?? undefined));
  }

  private async matching(name: string, ifMatch: readonly number[] | undefined): Promise<StoredChannel> {
    const stored = await this.one(name);
    if (ifMatch && !ifMatch.includes(stored.version))
      throw new AppError(
        'channels.changed-meanwhile',
        `it is at version ${stored.version}, not ${ifMatch.join(' or ')}`,
      );
    return stored;
  }

  private async tried(channel: Channel, name: string | null): Promise<TestResult> {
    const { publicUrl } = await this.settings.read();
    const item = {
      ...sampleItem(),
      ruleName: 'A test of this channel',
      labels: { test: 'true' },
      isTest: true,
    } as const;
    const startedMs = performance.now();
    const message = { id: item.notificationId, items: [item] as const };
    const answer = await this.sender.send(channel, message, publicUrl ?? undefined);
    return { ...answer, channel: name, durationMs: Math.round(performance.now() - startedMs) };
  }

  /** Throws the problem with every fault, an address that must not be reached among them. */
  private async checked(type: ChannelType, config: Config): Promise<ChannelTarget> {
    const { target, faults } = readConfig(type, config);
    if (faults.length > 0) throw faulty(faults);
    for (const [field, url] of targetsOf(target)) {
      try {
        await this.guard.check(new URL(url).hostname);
      } catch (error) {
        if (error instanceof BlockedTarget)
          throw faulty([{ field: `config.${field}`, message: `is refused: ${error.message}` }]);
        throw error;
      }
    }
    return target;
  }
}

const faulty = (errors: readonly FieldFault[]): AppError =>
  new AppError('request.bad-parameter', errors.map(({ field, message }) => `${field} ${message}`).join('; '), {
    errors,
  });

function sampleItem(): Item {
  const atUs = nowUs();
  const id = randomUUID();
  return {
    alertId: '0',
    ruleId: 'btc-price-high',
    ruleName: 'BTC price high',
    kind: 'fired',
    severity: 'high',
    source: 'simulator',
    symbol: 'BTCUSDT',
    condition: 'price > threshold',
    threshold: 50_000,
    value: 51_234.5,
    atUs,
    startedAtUs: atUs,
    labels: { team: 'ops' },
    cooldownUs: 0,
    notificationId: id,
    thread: id,
    isMerged: false,
    held: 0,
  };
}

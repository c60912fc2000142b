import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { Bus } from '../../platform/bus/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, encodeCursor, NoQuery } from '../../platform/http/index.js';
import { unknownChannelsText } from '../channels/channel.js';
import { testAnswerOf } from '../channels/channels.dto.js';
import { ChannelStore } from '../channels/channel.store.js';
import { Channels } from '../channels/channels.service.js';
import { idOf } from '../cursor.dto.js';
import { DeliveryStore } from './delivery.store.js';
import type { Notification } from './notification.js';
import { NotificationSettingsStore } from '../channels/notification-settings.store.js';
import { NotificationStore } from './notification.store.js';
import {
  NotificationAnswer,
  NotificationsAnswer,
  NotificationsQuery,
  ReplayAnswer,
  NotificationsReplayRequest,
  SettingsAnswer,
  SettingsRequest,
  StoppedRulesAnswer,
  TestRequest,
  TestsAnswer,
} from './notifications.dto.js';
import { Notifications } from './notifications.service.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

@ApiTags('notifications')
@Controller(`${API}/notifications`)
export class NotificationsController {
  constructor(
    private readonly bus: Bus,
    private readonly channels: Channels,
    private readonly channelStore: ChannelStore,
    private readonly store: NotificationStore,
    private readonly deliveries: DeliveryStore,
    private readonly notifications: Notifications,
    private readonly settings: NotificationSettingsStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'What was told to whom, and every attempt at it' })
  @ApiOkResponse({ type: NotificationsAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(
    @Query() { state, channel, ruleId, alertId, limit, cursor }: NotificationsQuery,
  ): Promise<NotificationsAnswer> {
    const found = await this.store.page(
      { states: state, channel, ruleId, alertId, beforeSeq: idOf(cursor) },
      limit + 1,
    );
    const page = found.slice(0, limit);
    return {
      items: page.map(answerOf),
      nextCursor: found.length > limit ? encodeCursor([page.at(-1)!.seq]) : null,
    };
  }

  @Post('test')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a test to every channel of a type, or to one that is not stored' })
  @ApiOkResponse({ type: TestsAnswer })
  @ApiProblems('request.bad-parameter', 'channels.unknown', 'database.unavailable')
  async test(@Body() { type, config }: TestRequest, @Query() _query: NoQuery): Promise<TestsAnswer> {
    const results =
      config === undefined ? await this.channels.testAll(type) : [await this.channels.testDraft(type, config)];
    return { results: results.map(testAnswerOf) };
  }

  @Get('settings')
  @ApiOperation({ summary: 'How notifications go out' })
  @ApiOkResponse({ type: SettingsAnswer })
  @ApiProblems('database.unavailable')
  async readSettings(@Query() _query: NoQuery): Promise<SettingsAnswer> {
    return this.settings.read();
  }

  @Put('settings')
  @ApiOperation({ summary: 'Change how notifications go out; what is left out stays' })
  @ApiOkResponse({ type: SettingsAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async writeSettings(@Body() given: SettingsRequest, @Query() _query: NoQuery): Promise<SettingsAnswer> {
    const named = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return this.bus.transaction(async (tx) => {
      const settings = { ...(await this.settings.lock(tx)), ...(named as Partial<SettingsAnswer>) };
      if (settings.retryFirstMs > settings.retryMostMs)
        throw badParameter('retryFirstMs', `must not be above retryMostMs, ${settings.retryMostMs}`);
      const unknown = await this.channelStore.missing(settings.defaultChannels, tx);
      if (unknown.length > 0) throw badParameter('defaultChannels', unknownChannelsText(unknown));
      const publicUrl = settings.publicUrl?.replace(/\/+$/, '') ?? null;
      await this.settings.write(tx, { ...settings, publicUrl });
      return { ...settings, publicUrl };
    });
  }

  @Get('stopped')
  @ApiOperation({ summary: 'Rules that notified too often, whose firings are held back for a while' })
  @ApiOkResponse({ type: StoppedRulesAnswer })
  @ApiProblems('database.unavailable')
  async stopped(@Query() _query: NoQuery): Promise<StoppedRulesAnswer> {
    const rules = await this.store.stopped();
    return {
      items: rules.map(({ ruleId, stoppedAtUs, untilUs, notices }) => ({
        ruleId,
        stoppedAt: formatInstant(stoppedAtUs),
        until: formatInstant(untilUs),
        notices,
      })),
    };
  }

  @Delete('stopped/:ruleId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Let a stopped rule notify again; what was held and still fires goes out' })
  @ApiNoContentResponse()
  @ApiProblems('notifications.not-stopped', 'database.unavailable')
  async resume(@Param('ruleId') ruleId: string, @Query() _query: NoQuery): Promise<void> {
    if (!(await this.bus.transaction((tx) => this.notifications.resume(tx, ruleId))))
      throw new AppError('notifications.not-stopped', `the rule ${ruleId.slice(0, 80)} is not stopped`);
  }

  @Post('replay')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send everything that is dead of a channel again' })
  @ApiOkResponse({ type: ReplayAnswer })
  @ApiProblems('request.bad-parameter', 'channels.unknown', 'database.unavailable')
  async replayAll(@Body() { channel }: NotificationsReplayRequest, @Query() _query: NoQuery): Promise<ReplayAnswer> {
    await this.channels.one(channel);
    return { replayed: await this.deliveries.replay({ channel }) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One notification, with its attempts' })
  @ApiOkResponse({ type: NotificationAnswer })
  @ApiProblems('notifications.unknown', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<NotificationAnswer> {
    return answerOf(await this.known(id));
  }

  @Post(':id/replay')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a dead notification again, at once' })
  @ApiOkResponse({ type: NotificationAnswer })
  @ApiProblems('notifications.unknown', 'notifications.not-dead', 'database.unavailable')
  async replay(@Param('id') id: string, @Query() _query: NoQuery): Promise<NotificationAnswer> {
    const { state } = await this.known(id);
    if ((await this.deliveries.replay({ id })) === 0)
      throw new AppError('notifications.not-dead', `it is ${state}, or its channel is gone`);
    return answerOf(await this.known(id));
  }

  private async known(id: string): Promise<Notification> {
    const found = UUID.test(id) ? await this.store.one(id) : undefined;
    if (!found) throw new AppError('notifications.unknown', `there is no notification ${id.slice(0, 60)}`);
    return found;
  }
}

function answerOf(one: Notification): NotificationAnswer {
  const { id, alertId, ruleId, kind, severity, source, symbol, channel, state, reason, held, attempts } = one;
  const isOver = one.finishedAtUs !== null;
  return {
    id,
    alertId,
    ruleId,
    kind,
    severity,
    source,
    symbol,
    channel,
    state,
    reason,
    merged: one.isMerged,
    held,
    attempts,
    nextAt: isOver ? null : formatInstant(one.nextAtUs),
    createdAt: formatInstant(one.createdAtUs),
    finishedAt: one.finishedAtUs === null ? null : formatInstant(one.finishedAtUs),
    history: one.history.map(({ atUs, ...attempt }) => ({ at: formatInstant(atUs), ...attempt })),
  };
}

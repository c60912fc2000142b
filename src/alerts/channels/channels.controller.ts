import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import {
  type Answer,
  API,
  ApiProblems,
  decodeCursor,
  encodeCursor,
  etagOf,
  NoQuery,
  versionsOf,
} from '../../platform/http/index.js';
import { NotificationSettingsStore } from './notification-settings.store.js';
import type { StoredChannel } from './channel.js';
import { shownConfig } from './channel-config.js';
import { ChannelStore } from './channel.store.js';
import {
  ChannelAnswer,
  ChannelEditRequest,
  ChannelRequest,
  ChannelsAnswer,
  ChannelsQuery,
  TestAnswer,
  testAnswerOf,
} from './channels.dto.js';
import { Channels } from './channels.service.js';

@ApiTags('notifications')
@Controller(`${API}/channels`)
export class ChannelsController {
  constructor(
    private readonly channels: Channels,
    private readonly store: ChannelStore,
    private readonly settings: NotificationSettingsStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Where notifications go, by name; secrets are never shown' })
  @ApiOkResponse({ type: ChannelsAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() { type, limit, cursor }: ChannelsQuery): Promise<ChannelsAnswer> {
    const after = cursor === undefined ? '' : String(decodeCursor(cursor, 1)[0]);
    const found = await this.store.page(after, type, limit + 1);
    const { publicUrl } = await this.settings.read();
    const items = found.slice(0, limit).map((channel) => this.answerOf(channel, publicUrl));
    return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.name]) : null };
  }

  @Post()
  @ApiOperation({ summary: 'Make a channel; its addresses and templates are checked' })
  @ApiCreatedResponse({ type: ChannelAnswer })
  @ApiProblems('request.bad-parameter', 'channels.name-taken', 'channels.too-many', 'database.unavailable')
  async create(
    @Body() { name, type, config }: ChannelRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ChannelAnswer> {
    const channel = await this.channels.create(name, type, config);
    answer.header('location', `/${API}/channels/${name}`);
    return this.answered(channel, answer);
  }

  @Get(':name')
  @ApiOperation({ summary: 'One channel, and whether it works; `ETag` is its version' })
  @ApiOkResponse({ type: ChannelAnswer })
  @ApiProblems('channels.unknown', 'database.unavailable')
  async one(
    @Param('name') name: string,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ChannelAnswer> {
    return this.answered(await this.channels.one(name), answer);
  }

  @Put(':name')
  @ApiOperation({
    summary: 'Replace the config of a channel; with `If-Match`, only at the version that names',
    description:
      'Secrets that are left out stay as they are, null takes one away; with an address on another server they must be given again. ' +
      'What waits for the channel, or died of it, is tried again.',
  })
  @ApiOkResponse({ type: ChannelAnswer })
  @ApiProblems('request.bad-parameter', 'channels.unknown', 'channels.changed-meanwhile', 'database.unavailable')
  async replace(
    @Param('name') name: string,
    @Body() { name: named, type, config }: ChannelEditRequest,
    @Query() _query: NoQuery,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<ChannelAnswer> {
    if (named !== undefined && named !== name)
      throw badParameter('name', `must be ${name} as in the path, or left out`);
    return this.answered(await this.channels.replace(name, type, config, versionsOf(ifMatch)), answer);
  }

  @Delete(':name')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a channel that no rule names; what waits for it is given up' })
  @ApiNoContentResponse()
  @ApiProblems(
    'request.bad-parameter',
    'channels.unknown',
    'channels.in-use',
    'channels.changed-meanwhile',
    'database.unavailable',
  )
  async remove(
    @Param('name') name: string,
    @Query() _query: NoQuery,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    await this.channels.remove(name, versionsOf(ifMatch));
  }

  @Post(':name/test')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a test the way notifications go, and say what came of it' })
  @ApiOkResponse({ type: TestAnswer })
  @ApiProblems('channels.unknown', 'database.unavailable')
  async test(@Param('name') name: string, @Query() _query: NoQuery): Promise<TestAnswer> {
    return testAnswerOf(await this.channels.test(name));
  }

  private async answered(channel: StoredChannel, answer: Answer): Promise<ChannelAnswer> {
    answer.header('etag', etagOf(channel));
    return this.answerOf(channel, (await this.settings.read()).publicUrl);
  }

  private answerOf(channel: StoredChannel, publicUrl: string | null): ChannelAnswer {
    return {
      name: channel.name,
      type: channel.type,
      ...shownConfig(channel),
      version: channel.version,
      healthy: channel.isHealthy,
      unhealthyReason: channel.unhealthyReason,
      unhealthySince: channel.unhealthySinceUs === null ? null : formatInstant(channel.unhealthySinceUs),
      pausedUntil: channel.pausedUntilUs === null ? null : formatInstant(channel.pausedUntilUs),
      failures: channel.failures,
      preview: this.channels.preview(channel, publicUrl),
      changedAt: formatInstant(channel.changedAtUs),
    };
  }
}

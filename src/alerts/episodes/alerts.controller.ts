import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { type Answer, API, ApiProblems, encodeCursor, NoQuery } from '../../platform/http/index.js';
import { CursorQuery, idOf } from '../cursor.dto.js';
import { durationUs } from '../rules/duration-text.js';
import { type Alert, stateOf } from './alert.js';
import { AlertStore } from './alert.store.js';
import {
  AlertAnswer,
  AlertEditRequest,
  AlertRequest,
  AlertsAnswer,
  AlertsQuery,
  ByRequest,
  HistoryAnswer,
  SilenceAlertRequest,
} from './alerts.dto.js';
import { Alerts } from './alerts.service.js';
import { HistoryStore } from './history.store.js';

@ApiTags('alerts')
@Controller(`${API}/alerts`)
export class AlertsController {
  constructor(
    private readonly alerts: Alerts,
    private readonly store: AlertStore,
    private readonly historyStore: HistoryStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Alerts, newest first: one for each time that a rule fired for a series' })
  @ApiOkResponse({ type: AlertsAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() query: AlertsQuery): Promise<AlertsAnswer> {
    const { limit } = query;
    if (query.from !== undefined && query.to !== undefined && query.from >= query.to)
      throw badParameter('from', 'must be before to');
    const found = await this.store.page(
      {
        states: query.state,
        ruleId: query.ruleId,
        symbol: query.symbol,
        source: query.source,
        severities: query.severity,
        fromUs: query.from,
        toUs: query.to,
        beforeId: idOf(query.cursor),
      },
      limit + 1,
    );
    const items = found.slice(0, limit).map(answerOf);
    return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Post()
  @ApiOperation({ summary: 'Raise an alert by hand; it is open until somebody resolves it' })
  @ApiCreatedResponse({ type: AlertAnswer })
  @ApiProblems('request.bad-parameter', 'alerts.too-many', 'database.unavailable')
  async raise(
    @Body() body: AlertRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<AlertAnswer> {
    const alert = await this.alerts.raise(body);
    answer.header('location', `/${API}/alerts/${alert.id}`);
    return answerOf(alert);
  }

  @Get(':id')
  @ApiOperation({ summary: 'One alert' })
  @ApiOkResponse({ type: AlertAnswer })
  @ApiProblems('alerts.unknown', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<AlertAnswer> {
    return answerOf(await this.alerts.one(id));
  }

  @Get(':id/history')
  @ApiOperation({ summary: 'Everything that happened to an alert, oldest first' })
  @ApiOkResponse({ type: HistoryAnswer })
  @ApiProblems('request.bad-parameter', 'alerts.unknown', 'database.unavailable')
  async history(@Param('id') id: string, @Query() { limit, cursor }: CursorQuery): Promise<HistoryAnswer> {
    await this.alerts.one(id);
    const entries = await this.historyStore.page(id, idOf(cursor) ?? '0', limit + 1);
    const page = entries.slice(0, limit);
    return {
      items: page.map(({ kind, atUs, value, reason, note }) => ({
        kind,
        at: formatInstant(atUs),
        value,
        reason: reason ?? null,
        note: note ?? null,
      })),
      nextCursor: entries.length > limit ? encodeCursor([page.at(-1)!.id]) : null,
    };
  }

  @Put(':id')
  @ApiOperation({ summary: 'Acknowledge an alert, take that back, or replace its labels' })
  @ApiOkResponse({ type: AlertAnswer })
  @ApiProblems('request.bad-parameter', 'alerts.unknown', 'database.unavailable')
  async edit(@Param('id') id: string, @Body() body: AlertEditRequest, @Query() _query: NoQuery): Promise<AlertAnswer> {
    return answerOf(await this.alerts.edit(id, body));
  }

  @Post(':id/resolve')
  @HttpCode(200)
  @ApiOperation({ summary: 'Resolve an alert; its rule fires again only after the condition has ended in between' })
  @ApiOkResponse({ type: AlertAnswer })
  @ApiProblems('request.bad-parameter', 'alerts.unknown', 'alerts.resolved', 'database.unavailable')
  async resolve(@Param('id') id: string, @Body() body: ByRequest, @Query() _query: NoQuery): Promise<AlertAnswer> {
    return answerOf(await this.alerts.resolve(id, body.by));
  }

  @Post(':id/silence')
  @HttpCode(200)
  @ApiOperation({ summary: 'Silence the rule of an alert for its series, for an hour if not told otherwise' })
  @ApiOkResponse({ type: AlertAnswer })
  @ApiProblems(
    'request.bad-parameter',
    'alerts.unknown',
    'alerts.resolved',
    'silences.too-many',
    'database.unavailable',
  )
  async silence(
    @Param('id') id: string,
    @Body() body: SilenceAlertRequest,
    @Query() _query: NoQuery,
  ): Promise<AlertAnswer> {
    const lastsUs = durationUs(body.for ?? '1h')!;
    return answerOf(await this.alerts.silence(id, lastsUs, body.comment ?? `silenced at alert ${id}`, body.by));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete an alert that is resolved, with its history' })
  @ApiNoContentResponse()
  @ApiProblems('alerts.unknown', 'alerts.not-resolved', 'database.unavailable')
  async remove(@Param('id') id: string, @Query() _query: NoQuery): Promise<void> {
    await this.alerts.remove(id);
  }
}

export const answerOf = (alert: Alert): AlertAnswer => ({
  id: alert.id,
  ruleId: alert.ruleId,
  name: alert.name,
  symbol: alert.symbol,
  source: alert.source,
  severity: alert.severity,
  state: stateOf(alert),
  phase: alert.phase,
  condition: alert.condition,
  threshold: alert.threshold,
  value: alert.value,
  startedAt: formatInstant(alert.startedAtUs),
  reason: alert.openedBy,
  resolvedAt: alert.resolvedAtUs === null ? null : formatInstant(alert.resolvedAtUs),
  resolution: alert.resolution,
  occurrences: alert.occurrences,
  labels: alert.labels,
  channels: alert.channels,
  silencedBy: alert.silencedBy,
  acknowledgedAt: alert.acknowledgedAtUs === null ? null : formatInstant(alert.acknowledgedAtUs),
  acknowledgedBy: alert.acknowledgedBy,
});

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
import { CursorQuery } from '../cursor.dto.js';
import type { StoppedRule } from '../notifications/notification.js';
import { NotificationStore } from '../notifications/notification.store.js';
import { RuleStateStore, type SeriesKey, type StoredState } from '../episodes/rule-state.store.js';
import { compileRule, inputsOf, type StoredRule } from './rule.js';
import { bodyOf, faultsOfBody, ruleOf } from './rule-body.js';
import { RuleStore } from './rule.store.js';
import {
  RuleAnswer,
  RuleCheckAnswer,
  RuleRequest,
  RulesAnswer,
  RulesQuery,
  StoppedAnswer,
  WatchingAnswer,
  RuleStateAnswer,
  RuleStatesAnswer,
} from './rules.dto.js';
import { Rules } from './rules.service.js';
import { type Watching, watchingOf } from './watching.js';

@ApiTags('rules')
@Controller(`${API}/rules`)
export class RulesController {
  constructor(
    private readonly rules: Rules,
    private readonly store: RuleStore,
    private readonly states: RuleStateStore,
    private readonly notifications: NotificationStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Rules, by id' })
  @ApiOkResponse({ type: RulesAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() { symbol, severity, enabled, limit, cursor }: RulesQuery): Promise<RulesAnswer> {
    const afterId = cursor === undefined ? undefined : String(decodeCursor(cursor, 1)[0]);
    const isEnabled = enabled === undefined ? undefined : enabled === 'true';
    const rules = await this.store.page({ symbol, severity, enabled: isEnabled, afterId }, limit + 1);
    const items = await this.answersOf(rules.slice(0, limit));
    return { items, nextCursor: rules.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Post()
  @ApiOperation({ summary: 'Make a rule; it is evaluated from now on' })
  @ApiCreatedResponse({ type: RuleAnswer })
  @ApiProblems(
    'request.bad-parameter',
    'rules.bad-condition',
    'rules.id-taken',
    'rules.too-many',
    'database.unavailable',
  )
  async create(
    @Body() body: RuleRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<RuleAnswer> {
    assertSound(body);
    const rule = await this.rules.create(body);
    answer.header('etag', etagOf(rule)).header('location', `/${API}/rules/${rule.id}`);
    return this.answerOf(rule);
  }

  @Post('validate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Say what is wrong with a rule, and where, or what it reads; nothing is stored' })
  @ApiOkResponse({ type: RuleCheckAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async check(@Body() body: Record<string, unknown>, @Query() _query: NoQuery): Promise<RuleCheckAnswer> {
    const wrong = (errors: RuleCheckAnswer['errors']): RuleCheckAnswer => ({
      valid: false,
      inputs: [],
      errors,
      rule: null,
      watching: null,
    });
    const faults = faultsOfBody(body);
    if (faults.length > 0) return wrong(faults);
    const sound = body as unknown as RuleRequest;
    const read = ruleOf(sound, sound.id ?? 'draft');
    if ('faults' in read) return wrong(read.faults);
    const misfits = await this.rules.misfits(read.rule);
    if (misfits.length > 0) return wrong(misfits);
    const watching = watchingAnswerOf(watchingOf(read.rule, await this.store.heard()));
    return { valid: true, inputs: inputsOf([compileRule(read.rule)]), errors: [], rule: bodyOf(read.rule), watching };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One rule; `ETag` is its version' })
  @ApiOkResponse({ type: RuleAnswer })
  @ApiProblems('rules.unknown', 'database.unavailable')
  async one(
    @Param('id') id: string,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<RuleAnswer> {
    const rule = await this.rules.one(id);
    answer.header('etag', etagOf(rule));
    return this.answerOf(rule);
  }

  @Get(':id/states')
  @ApiOperation({ summary: 'Where a rule stands with each series; one that is not there is inactive' })
  @ApiOkResponse({ type: RuleStatesAnswer })
  @ApiProblems('request.bad-parameter', 'rules.unknown', 'database.unavailable')
  async statesOf(@Param('id') id: string, @Query() { limit, cursor }: CursorQuery): Promise<RuleStatesAnswer> {
    await this.rules.one(id);
    const states = await this.states.page(
      id,
      cursor === undefined ? { source: '', symbol: '' } : keyOf(cursor),
      limit + 1,
    );
    const items = states.slice(0, limit).map(stateAnswerOf);
    const last = items.at(-1);
    return { items, nextCursor: last && states.length > limit ? encodeCursor([last.source, last.symbol]) : null };
  }

  @Put(':id')
  @ApiOperation({
    summary: 'Replace a rule; with `If-Match`, only at the version that names',
    description:
      'An edit of what decides when it fires, and disabling it, resolves what is firing with that reason and begins anew. ' +
      'Name, description, severity, labels, channels, cooldown and expiry can be edited while it fires.',
  })
  @ApiOkResponse({ type: RuleAnswer })
  @ApiProblems(
    'request.bad-parameter',
    'rules.unknown',
    'rules.changed-meanwhile',
    'rules.bad-condition',
    'database.unavailable',
  )
  async replace(
    @Param('id') id: string,
    @Body() body: RuleRequest,
    @Query() _query: NoQuery,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<RuleAnswer> {
    assertSound(body);
    const rule = await this.rules.replace(id, body, versionsOf(ifMatch));
    answer.header('etag', etagOf(rule));
    return this.answerOf(rule);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a rule; what is firing is resolved with that reason, and its alerts stay' })
  @ApiNoContentResponse()
  @ApiProblems('request.bad-parameter', 'rules.unknown', 'rules.changed-meanwhile', 'database.unavailable')
  async remove(
    @Param('id') id: string,
    @Query() _query: NoQuery,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    await this.rules.remove(id, versionsOf(ifMatch));
  }

  private async answerOf(rule: StoredRule): Promise<RuleAnswer> {
    return (await this.answersOf([rule]))[0]!;
  }

  private async answersOf(rules: readonly StoredRule[]): Promise<RuleAnswer[]> {
    const heard = await this.store.heard();
    const stopped = await this.notifications.stopped(rules.map(({ id }) => id));
    return rules.map((rule) => ({
      ...bodyOf(rule),
      version: rule.version,
      createdAt: formatInstant(rule.createdAtUs),
      changedAt: formatInstant(rule.changedAtUs),
      watching: watchingAnswerOf(watchingOf(rule, heard)),
      stopped: stoppedAnswerOf(stopped.find(({ ruleId }) => ruleId === rule.id)),
    }));
  }
}

function assertSound(body: RuleRequest): void {
  const [fault] = faultsOfBody(body);
  if (fault) throw badParameter(fault.field, fault.message);
}

function keyOf(cursor: string): SeriesKey {
  const [source, symbol] = decodeCursor(cursor, 2);
  return { source: String(source), symbol: String(symbol) };
}

const watchingAnswerOf = ({ series, lastValueUs, unheard }: Watching): WatchingAnswer => ({
  series,
  lastValueAt: lastValueUs === undefined ? null : formatInstant(lastValueUs),
  unheard: [...unheard],
});

const stoppedAnswerOf = (stopped: StoppedRule | undefined): StoppedAnswer | null =>
  stopped
    ? {
        since: formatInstant(stopped.stoppedAtUs),
        until: formatInstant(stopped.untilUs),
        why: `it told ${stopped.notices} firings, more than the settings allow (runawayMost in runawayWithinMs); what fires now is held`,
        resume: `DELETE /${API}/notifications/stopped/${stopped.ruleId}`,
      }
    : null;

const stateAnswerOf = ({ source, symbol, state }: StoredState): RuleStateAnswer => ({
  source,
  symbol,
  phase: state.phase,
  since: formatInstant(state.sinceUs),
  alertId: state.alertId ?? null,
  due: state.dueUs === undefined ? null : formatInstant(state.dueUs),
});

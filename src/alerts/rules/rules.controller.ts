import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, NoQuery } from '../../platform/http/index.js';
import { CursorQuery } from '../cursor.dto.js';
import { RuleStateStore, type SeriesKey, type StoredState } from '../episodes/rule-state.store.js';
import { compileRule, type StoredRule } from './rule.js';
import { bodyOf, faultsOfBody, ruleOf } from './rule-body.js';
import { RuleStore } from './rule.store.js';
import {
  RuleAnswer,
  RuleCheckAnswer,
  RuleRequest,
  RulesAnswer,
  RulesQuery,
  RuleStateAnswer,
  RuleStatesAnswer,
} from './rules.dto.js';
import { Rules } from './rules.service.js';

/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ header(name: string, value: string): Answer }>;

@ApiTags('rules')
@Controller(`${API}/rules`)
export class RulesController {
  constructor(
    private readonly rules: Rules,
    private readonly store: RuleStore,
    private readonly states: RuleStateStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Rules, by id' })
  @ApiOkResponse({ type: RulesAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() { symbol, severity, enabled, limit, cursor }: RulesQuery): Promise<RulesAnswer> {
    const afterId = cursor === undefined ? undefined : String(decodeCursor(cursor, 1)[0]);
    const isEnabled = enabled === undefined ? undefined : enabled === 'true';
    const rules = await this.store.page({ symbol, severity, enabled: isEnabled, afterId }, limit + 1);
    const items = rules.slice(0, limit).map(answerOf);
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
    return answerOf(rule);
  }

  @Post('validate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Say what is wrong with a rule, and where, or what it reads; nothing is stored' })
  @ApiOkResponse({ type: RuleCheckAnswer })
  @ApiProblems('request.bad-parameter')
  check(@Body() body: Record<string, unknown>, @Query() _query: NoQuery): RuleCheckAnswer {
    const wrong = (errors: RuleCheckAnswer['errors']): RuleCheckAnswer => ({
      valid: false,
      inputs: [],
      errors,
      rule: null,
    });
    const faults = faultsOfBody(body);
    if (faults.length > 0) return wrong(faults);
    const sound = body as unknown as RuleRequest;
    const read = ruleOf(sound, sound.id ?? 'draft');
    if ('faults' in read) return wrong(read.faults);
    const { condition, resolveCondition } = compileRule(read.rule);
    const inputs = new Map(
      [...condition.inputs, ...(resolveCondition?.inputs ?? [])].map((input) => [JSON.stringify(input), input]),
    );
    return { valid: true, inputs: [...inputs.values()], errors: [], rule: bodyOf(read.rule) };
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
    return answerOf(rule);
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
    return answerOf(rule);
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
}

const etagOf = ({ version }: StoredRule): string => `"${version}"`;

/** `"3"`, a list of such, or `*`: any. A weak one matches nothing (RFC 9110, section 13.1.1). */
function versionsOf(ifMatch: string | undefined): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  const versions = ifMatch
    .slice(0, 400)
    .split(',')
    .map((tag) => /^"(\d{1,9})"$/.exec(tag.trim())?.[1]);
  if (versions.includes(undefined))
    throw badParameter('If-Match', 'must be the ETag of an earlier answer, such as "3"');
  return versions.map(Number);
}

function assertSound(body: RuleRequest): void {
  const [fault] = faultsOfBody(body);
  if (fault) throw badParameter(fault.field, fault.message);
}

function keyOf(cursor: string): SeriesKey {
  const [source, symbol] = decodeCursor(cursor, 2);
  return { source: String(source), symbol: String(symbol) };
}

export const answerOf = (rule: StoredRule): RuleAnswer => ({
  ...bodyOf(rule),
  version: rule.version,
  createdAt: formatInstant(rule.createdAtUs),
  changedAt: formatInstant(rule.changedAtUs),
});

const stateAnswerOf = ({ source, symbol, state }: StoredState): RuleStateAnswer => ({
  source,
  symbol,
  phase: state.phase,
  since: formatInstant(state.sinceUs),
  alertId: state.alertId ?? null,
  due: state.dueUs === undefined ? null : formatInstant(state.dueUs),
});

import { Readable } from 'node:stream';
import { Body, Controller, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, NoQuery } from '../../platform/http/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { Rule } from '../rules/rule.js';
import { faultsOfBody, type RuleBody } from '../rules/rule-body.js';
import { readRule, Rules } from '../rules/rules.service.js';
import { BacktestAnswer, BacktestRequest, DraftBacktestRequest, EpisodeAnswer } from './backtests.dto.js';
import { type BacktestRange, Backtests, type BacktestStep } from './backtests.service.js';
import type { BacktestEpisode } from './episode-log.js';

const NDJSON = 'application/x-ndjson';
const DAY_US = 86_400_000_000;
const DESCRIPTION =
  'The same conditions and states as live, over recorded trades. With `Accept: application/x-ndjson` the answer is a ' +
  'stream of lines, each of a `type`: `series`, `progress`, `episode`, `done`, or `error` when it could not go on.';

/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ header(name: string, value: string): Answer; send(body: Readable): unknown }>;

@ApiTags('rules')
@Controller(`${API}/rules`)
export class BacktestsController {
  constructor(
    private readonly backtests: Backtests,
    private readonly rules: Rules,
  ) {}

  @Post('backtest')
  @HttpCode(200)
  @ApiOperation({ summary: 'What a draft of a rule would have done', description: DESCRIPTION })
  @ApiOkResponse({ type: BacktestAnswer })
  @ApiProblems('request.bad-parameter', 'rules.bad-condition', 'alerts.backtest-busy', 'alerts.no-history')
  async draft(
    @Body() { rule, ...range }: DraftBacktestRequest,
    @Query() _query: NoQuery,
    @Headers('accept') accept: string | undefined,
    @Res() answer: Answer,
  ): Promise<void> {
    await this.answer(draftOf(rule), range, accept, answer);
  }

  @Post(':id/backtest')
  @HttpCode(200)
  @ApiOperation({ summary: 'What a rule would have done', description: DESCRIPTION })
  @ApiOkResponse({ type: BacktestAnswer })
  @ApiProblems('request.bad-parameter', 'rules.unknown', 'alerts.backtest-busy', 'alerts.no-history')
  async stored(
    @Param('id') id: string,
    @Body() range: BacktestRequest,
    @Query() _query: NoQuery,
    @Headers('accept') accept: string | undefined,
    @Res() answer: Answer,
  ): Promise<void> {
    await this.answer(await this.rules.one(id), range, accept, answer);
  }

  private async answer(rule: Rule, asked: BacktestRequest, accept: string | undefined, answer: Answer): Promise<void> {
    const toUs = asked.to ?? nowUs();
    const range = { fromUs: asked.from ?? toUs - DAY_US, toUs };
    this.backtests.assertRange(range);
    const steps = this.backtests.run(rule, range);
    if (accept?.includes(NDJSON))
      return void answer.header('content-type', NDJSON).send(Readable.from(lines(steps), { objectMode: false }));
    const whole = await collected(steps, range);
    answer.header('content-type', 'application/json').send(Readable.from([JSON.stringify(whole)]));
  }
}

function draftOf(body: Record<string, unknown>): Rule {
  const [fault] = faultsOfBody(body);
  if (fault) throw badParameter(`rule.${fault.field}`, fault.message);
  const sound = body as unknown as RuleBody;
  return readRule(sound, sound.id ?? 'draft');
}

async function collected(steps: AsyncIterable<BacktestStep>, { fromUs, toUs }: BacktestRange): Promise<BacktestAnswer> {
  const episodes: EpisodeAnswer[] = [];
  let series: BacktestAnswer['series'] = [];
  let end = { trades: 0, evaluations: 0, found: 0, leftOut: 0, isTruncated: false };
  for await (const step of steps) {
    if (step.type === 'series') series = [...step.series];
    else if (step.type === 'episode') episodes.push(episodeAnswer(step.episode));
    else if (step.type === 'done') end = step;
  }
  const { trades, evaluations, found, leftOut, isTruncated } = end;
  return {
    from: formatInstant(fromUs),
    to: formatInstant(toUs),
    series,
    found,
    leftOut,
    trades,
    evaluations,
    episodes,
    truncated: isTruncated,
  };
}

async function* lines(steps: AsyncIterable<BacktestStep>): AsyncGenerator<string> {
  try {
    for await (const step of steps) yield `${JSON.stringify(lineOf(step))}\n`;
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'http.internal';
    yield `${JSON.stringify({ type: 'error', code, detail: error instanceof AppError ? error.detail : 'it broke' })}\n`;
  }
}

function lineOf(step: BacktestStep) {
  switch (step.type) {
    case 'progress': {
      const { key, atUs, trades, evaluations } = step;
      return { type: 'progress', source: key.source, symbol: key.symbol, at: formatInstant(atUs), trades, evaluations };
    }
    case 'episode':
      return { type: 'episode', ...episodeAnswer(step.episode) };
    case 'done': {
      const { isTruncated, ...sum } = step;
      return { ...sum, truncated: isTruncated };
    }
    case 'series':
      return step;
  }
}

const instantOrNull = (us: number | undefined): string | null => (us === undefined ? null : formatInstant(us));

const episodeAnswer = (episode: BacktestEpisode): EpisodeAnswer => ({
  source: episode.source,
  symbol: episode.symbol,
  openedBy: episode.openedBy,
  pendingSince: instantOrNull(episode.pendingSinceUs),
  startedAt: formatInstant(episode.startedAtUs),
  resolvedAt: instantOrNull(episode.resolvedAtUs),
  resolution: episode.resolution ?? null,
  value: episode.value,
  resolvedValue: episode.resolvedValue,
  refired: episode.refired,
  firing: episode.firing,
  transitions: episode.transitions.map(({ kind, atUs, value, reason }) => ({
    kind,
    at: formatInstant(atUs),
    value,
    ...(reason !== undefined && { reason }),
  })),
});

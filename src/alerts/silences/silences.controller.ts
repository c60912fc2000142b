import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { type Answer, API, ApiProblems, encodeCursor, NoQuery, YEAR_9999_US } from '../../platform/http/index.js';
import { nowUs } from '../../platform/observability/index.js';
import { idOf } from '../cursor.dto.js';
import { answerOf as alertAnswerOf } from '../episodes/alerts.controller.js';
import { durationUs } from '../rules/duration-text.js';
import { isInForce, type Silence } from './silence.js';
import { SilenceStore } from './silence.store.js';
import {
  MatchersRequest,
  SilenceAnswer,
  SilencePreviewAnswer,
  SilenceRequest,
  SilencesAnswer,
  SilencesQuery,
} from './silences.dto.js';
import { Silences } from './silences.service.js';

const LONGEST_US = 366 * 86_400e6;

@ApiTags('alerts')
@Controller(`${API}/silences`)
export class SilencesController {
  constructor(
    private readonly silences: Silences,
    private readonly store: SilenceStore,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Silences, newest first' })
  @ApiOkResponse({ type: SilencesAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() { ended, limit, cursor }: SilencesQuery): Promise<SilencesAnswer> {
    const isEnded = ended === undefined ? undefined : ended === 'true';
    const silences = await this.store.page({ isEnded, beforeId: idOf(cursor) }, limit + 1);
    const items = silences.slice(0, limit).map(answerOf);
    return { items, nextCursor: silences.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Post()
  @ApiOperation({
    summary: 'Silence alerts: nobody is notified of those that fire under it',
    description:
      'An end is still told where the firing was. Of an alert that still fires when its silence ends, people are notified then.',
  })
  @ApiCreatedResponse({ type: SilenceAnswer })
  @ApiProblems('request.bad-parameter', 'silences.too-many', 'database.unavailable')
  async create(
    @Body() body: SilenceRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<SilenceAnswer> {
    const { matchers, comment, createdBy, schedule } = body;
    const startsAtUs = body.startsAt ?? nowUs();
    const silence = await this.silences.create({
      matchers: matchers.map(({ name, op, value }) => ({ name, op, value })),
      startsAtUs,
      endsAtUs: endOf(startsAtUs, body),
      ...(schedule && { schedule: { ...schedule, days: schedule.days ?? [] } }),
      comment,
      ...(createdBy !== undefined && { createdBy }),
    });
    answer.header('location', `/${API}/silences/${silence.id}`);
    return answerOf(silence);
  }

  @Post('preview')
  @HttpCode(200)
  @ApiOperation({ summary: 'Which alerts such matchers match now; nothing is stored' })
  @ApiOkResponse({ type: SilencePreviewAnswer })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async preview(@Body() { matchers }: MatchersRequest, @Query() _query: NoQuery): Promise<SilencePreviewAnswer> {
    const { matches, alerts } = await this.silences.preview(matchers);
    return { matches, alerts: alerts.map(alertAnswerOf) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One silence' })
  @ApiOkResponse({ type: SilenceAnswer })
  @ApiProblems('silences.unknown', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<SilenceAnswer> {
    return answerOf(await this.silences.one(id));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'End a silence at once and forget it' })
  @ApiNoContentResponse()
  @ApiProblems('silences.unknown', 'database.unavailable')
  async remove(@Param('id') id: string, @Query() _query: NoQuery): Promise<void> {
    await this.silences.remove((await this.silences.one(id)).id);
  }
}

/** Of the two ways to say it exactly one; throws the problem for the field at fault. */
function endOf(startsAtUs: number, given: Readonly<{ endsAt?: number; for?: string }>): number {
  const { endsAt = null, for: length } = given;
  if (endsAt === null && length === undefined) throw badParameter('endsAt', 'must be given, or for in its place');
  if (endsAt !== null && length !== undefined) throw badParameter('for', 'must be left out where endsAt is given');
  const endsAtUs = endsAt ?? startsAtUs + durationUs(length)!;
  if (endsAtUs <= startsAtUs) throw badParameter('endsAt', `must be after the start, ${formatInstant(startsAtUs)}`);
  if (endsAtUs <= nowUs())
    throw badParameter(
      length === undefined ? 'endsAt' : 'for',
      `must end it later than now, not at ${formatInstant(endsAtUs)}`,
    );
  if (endsAtUs > YEAR_9999_US) throw badParameter('startsAt', 'must let it end before the year 10000');
  if (endsAtUs - startsAtUs > LONGEST_US)
    throw badParameter('endsAt', `must be at most 366 days after the start, ${formatInstant(startsAtUs)}`);
  return endsAtUs;
}

function answerOf(silence: Silence): SilenceAnswer {
  const { id, matchers, startsAtUs, endsAtUs, schedule, comment, createdBy, createdAtUs } = silence;
  const atUs = nowUs();
  return {
    id,
    matchers,
    startsAt: formatInstant(startsAtUs),
    endsAt: formatInstant(endsAtUs),
    schedule: schedule ?? null,
    comment,
    createdBy: createdBy ?? null,
    createdAt: formatInstant(createdAtUs),
    state: endsAtUs <= atUs ? 'ended' : isInForce(silence, atUs) ? 'active' : 'waiting',
  };
}

import { Body, Controller, Delete, Get, Param, Post, Query, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { AppError } from '../../errors/index.js';
import { API, ApiProblems, encodeCursor, NoQuery } from '../../http/index.js';
import { cursorOf } from './dead-letters.controller.js';
import { ForecastBody, JobBody, JobRequest, JobsBody, JobsQuery } from './dead-letters.dto.js';
import { filterOf, jobBodyOf } from './letter-body.js';
import { type ReplayJob, ReplayJobStore } from './replay-job.store.js';
import { ReplayJobs } from './replay-jobs.service.js';

const DEFAULT_RATE = 50;
/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ status(code: number): Answer; header(name: string, value: string): Answer }>;

@ApiTags('dead letters')
@ApiExtraModels(ForecastBody, JobBody)
@Controller(`${API}/dead-letters`)
export class ReplayJobsController {
  constructor(
    private readonly jobs: ReplayJobs,
    private readonly store: ReplayJobStore,
  ) {}

  @Post('replay')
  @ApiOperation({
    summary: 'Replay every dead letter of a filter, oldest first, as a job',
    description:
      'The letters are those that are dead now. The job goes on after a restart; `GET …/replay-jobs/{id}` tells the progress, `DELETE` ends it.',
  })
  @ApiResponse({ status: 202, type: JobBody, description: 'The job, which has begun.' })
  @ApiResponse({
    status: 200,
    description: 'With `dryRun`: what would be replayed.',
    schema: { $ref: getSchemaPath(ForecastBody) },
  })
  @ApiProblems(
    'request.bad-parameter',
    'letters.too-slow',
    'http.busy',
    'letters.too-many-jobs',
    'database.unavailable',
  )
  async start(
    @Body() { filter: fields, dryRun = false, ratePerSecond = DEFAULT_RATE }: JobRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) reply: Answer,
  ): Promise<JobBody | ForecastBody> {
    const filter = filterOf(fields);
    if (dryRun) {
      reply.status(200);
      const { matching, kinds } = await this.jobs.forecast(filter);
      return { dryRun, matching, kinds: [...kinds] };
    }
    const job = await this.known(await this.jobs.start(filter, ratePerSecond));
    reply.status(202).header('location', `/${API}/dead-letters/replay-jobs/${job.id}`);
    return jobBodyOf(job);
  }

  @Get('replay-jobs')
  @ApiOperation({ summary: 'Replays by filter, and how far they are' })
  @ApiOkResponse({ type: JobsBody })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async page(@Query() { limit, cursor }: JobsQuery): Promise<JobsBody> {
    const found = await this.store.page(cursorOf(cursor), limit + 1);
    const items = found.slice(0, limit).map(jobBodyOf);
    return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Get('replay-jobs/:id')
  @ApiOperation({ summary: 'How far a replay by filter is' })
  @ApiOkResponse({ type: JobBody })
  @ApiProblems('request.bad-parameter', 'letters.unknown-job', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<JobBody> {
    return jobBodyOf(await this.known(id));
  }

  @Delete('replay-jobs/:id')
  @ApiOperation({
    summary: 'End a replay by filter: what it has not come to is dead as before; one that is over stays',
  })
  @ApiOkResponse({ type: JobBody })
  @ApiProblems('request.bad-parameter', 'letters.unknown-job', 'database.unavailable')
  async cancel(@Param('id') id: string, @Query() _query: NoQuery): Promise<JobBody> {
    await this.known(id);
    await this.store.cancel(id);
    return jobBodyOf(await this.known(id));
  }

  private async known(id: string): Promise<ReplayJob> {
    const job = /^\d{1,18}$/.test(id) ? await this.store.one(id) : undefined;
    if (!job) throw new AppError('letters.unknown-job', `there is no replay job ${id.slice(0, 60)}`);
    return job;
  }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../../contracts/index.js';
import { badParameter } from '../../errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, NoQuery } from '../../http/index.js';
import { DeadLetterListStore, type WholeLetter } from './dead-letter-list.store.js';
import { DeadLetterStore } from './dead-letter.store.js';
import {
  DiscardedBody,
  DiscardManyQuery,
  DiscardQuery,
  LetterGroupsBody,
  LettersBody,
  LettersQuery,
  ReplayRequest,
  WholeLetterBody,
} from './dead-letters.dto.js';
import { bodyOf, filterOf, wholeBodyOf } from './letter-body.js';
import { notDead, Replays, unknownLetter } from './replays.service.js';

/** So long an answer waits for what another consumer, or another process, does. */
const ANSWER_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 25;
/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ status(code: number): Answer }>;

@ApiTags('dead letters')
@Controller(`${API}/dead-letters`)
export class DeadLettersController {
  constructor(
    private readonly list: DeadLetterListStore,
    private readonly letters: DeadLetterStore,
    private readonly replays: Replays,
  ) {}

  @Get()
  @ApiOperation({ summary: 'What could not be read, accepted, handled or delivered' })
  @ApiOkResponse({ type: LettersBody })
  @ApiProblems('request.bad-parameter', 'letters.too-slow', 'http.busy', 'database.unavailable')
  async page(@Query() { limit, cursor, ...fields }: LettersQuery): Promise<LettersBody> {
    const found = await this.list.page(filterOf(fields), cursorOf(cursor), limit + 1);
    const items = found.slice(0, limit).map(bodyOf);
    return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Get('groups')
  @ApiOperation({ summary: 'Letters that failed alike, counted' })
  @ApiOkResponse({ type: LetterGroupsBody })
  @ApiProblems('request.bad-parameter', 'letters.too-slow', 'http.busy', 'database.unavailable')
  async groups(@Query() { limit, cursor, ...fields }: LettersQuery): Promise<LetterGroupsBody> {
    const found = await this.list.groups(filterOf(fields), cursorOf(cursor), limit + 1);
    const items = found.slice(0, limit).map(({ firstFailedAtUs, lastFailedAtUs, sample, ...group }) => ({
      ...group,
      firstFailedAt: formatInstant(firstFailedAtUs),
      lastFailedAt: formatInstant(lastFailedAtUs),
      sample: bodyOf(sample),
    }));
    return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.sample.id]) : null };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One letter with its payload and its attempts' })
  @ApiOkResponse({ type: WholeLetterBody })
  @ApiProblems('request.bad-parameter', 'letters.unknown', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<WholeLetterBody> {
    return wholeBodyOf(await this.known(id));
  }

  @Post(':id/replay')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Do it again, as it came or with another payload; the answer is the letter as it stands then',
    description:
      'What it writes has the keys it had the first time, so doing it twice stores it once. When it fails again, the same letter is `dead` again with another attempt.',
  })
  @ApiOkResponse({ type: WholeLetterBody, description: '`replayed`, or `dead` with the new attempt.' })
  @ApiAcceptedResponse({ type: WholeLetterBody, description: '`retrying`: not over within 5 s.' })
  @ApiProblems(
    'request.bad-parameter',
    'letters.unknown',
    'letters.not-dead',
    'letters.no-replayer',
    'letters.cut',
    'http.foreign-origin',
    'http.busy',
    'database.unavailable',
  )
  async replay(
    @Param('id') id: string,
    @Body() { payload, encoding = 'utf8' }: ReplayRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) reply: Answer,
  ): Promise<WholeLetterBody> {
    await this.known(id);
    await this.replays.replay(id, payload === undefined ? undefined : bytesOf(payload, encoding));
    const letter = await this.ended(id);
    if (letter.state === 'retrying') reply.status(202);
    return wholeBodyOf(letter);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Discard a letter that needs no replay; it stays in sight until it is too old' })
  @ApiNoContentResponse()
  @ApiProblems('request.bad-parameter', 'letters.unknown', 'letters.not-dead', 'database.unavailable')
  async discard(@Param('id') id: string, @Query() { reason, by }: DiscardQuery): Promise<void> {
    const { state } = await this.known(id);
    if ((await this.list.discard({ ids: [id] }, reason, by)) === 0) throw notDead(state);
  }

  @Delete()
  @HttpCode(200)
  @ApiOperation({ summary: 'Discard every dead letter of a filter, which must name something' })
  @ApiOkResponse({ type: DiscardedBody })
  @ApiProblems('request.bad-parameter', 'letters.too-slow', 'http.busy', 'database.unavailable')
  async discardMany(@Query() { reason, by, ...fields }: DiscardManyQuery): Promise<DiscardedBody> {
    if (Object.values(fields).every((value) => value === undefined))
      throw badParameter('stage', 'or code, source, fingerprint, q, from or to must say which letters');
    return { discarded: await this.list.discard(filterOf(fields), reason, by) };
  }

  private async known(id: string): Promise<WholeLetter> {
    const letter = /^\d{1,18}$/.test(id) ? await this.list.one(id) : undefined;
    if (!letter) throw unknownLetter(id);
    return letter;
  }

  private async ended(id: string): Promise<WholeLetter> {
    const untilMs = performance.now() + ANSWER_WITHIN_MS;
    while ((await this.letters.replayability(id))?.state === 'retrying' && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    return this.known(id);
  }
}

export function cursorOf(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const [id] = decodeCursor(cursor, 1);
  if (!/^\d{1,18}$/.test(String(id))) throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return String(id);
}

function bytesOf(payload: string, encoding: 'utf8' | 'base64'): Buffer {
  if (encoding === 'utf8') return Buffer.from(payload);
  const bytes = Buffer.from(payload, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== payload.replace(/=+$/, ''))
    throw badParameter('payload', 'must be base64');
  return bytes;
}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, NoQuery } from '../../platform/http/index.js';
import { cursorAfter, stretchOf } from '../newest-first.dto.js';
import { LogEventStore, type StoredLogEvent } from './log-event.store.js';
import { rankOf } from './log-row.js';
import { LogEventBody, LogsBody, LogsQuery } from './logs.dto.js';
import { searchQuery } from './search-words.js';

/** What a bigint holds. */
const ID = /^\d{1,18}$/;

@ApiTags('logs')
@Controller(`${API}/logs`)
export class LogsController {
  constructor(private readonly store: LogEventStore) {}

  @Get()
  @ApiOperation({ summary: 'Log events of uploaded files, newest first' })
  @ApiOkResponse({ type: LogsBody })
  @ApiProblems('request.bad-parameter', 'search.too-slow', 'http.busy', 'database.unavailable')
  async list(@Query() query: LogsQuery): Promise<LogsBody> {
    const { q, level, minLevel, file, format, traceId, limit } = query;
    const words = q === undefined ? undefined : searchQuery(q);
    if (q !== undefined && words === undefined) throw badParameter('q', 'must hold a word: letters or digits');
    const filter = {
      query: words,
      levels: level?.map(rankOf),
      minLevel: minLevel && rankOf(minLevel),
      fileId: file,
      format,
      traceId,
      ...stretchOf(query),
    };
    const { items, hasMore } = await this.store.page(filter, limit);
    return { items: items.map(bodyOf), nextCursor: cursorAfter(items.at(-1), hasMore) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One log event' })
  @ApiOkResponse({ type: LogEventBody })
  @ApiProblems('logs.unknown', 'request.bad-parameter', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<LogEventBody> {
    const event = ID.test(id) ? await this.store.find(id) : undefined;
    if (!event) throw new AppError('logs.unknown', `there is none with the id ${id.slice(0, 60)}`);
    return bodyOf(event);
  }
}

function bodyOf({ atUs, fileId, line, ...event }: StoredLogEvent): LogEventBody {
  const { id, level, message, format, fields, traceId } = event;
  return { id, at: formatInstant(atUs), level, message, format, file: { id: fileId, line }, fields, traceId };
}

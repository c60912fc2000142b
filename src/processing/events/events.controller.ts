import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { API, ApiProblems } from '../../platform/http/index.js';
import { cursorAfter, stretchOf } from '../newest-first.dto.js';
import { EventRecordStore, type RecordedEvent } from './event-record.store.js';
import { type EventBody, EventsBody, EventsQuery } from './events.dto.js';

@ApiTags('webhooks')
@Controller(`${API}/events`)
export class EventsController {
  constructor(private readonly store: EventRecordStore) {}

  @Get()
  @ApiOperation({ summary: 'What webhooks told, newest first' })
  @ApiOkResponse({ type: EventsBody })
  @ApiProblems('request.bad-parameter', 'search.too-slow', 'http.busy', 'database.unavailable')
  async list(@Query() query: EventsQuery): Promise<EventsBody> {
    const { source, type, repository, actor, limit } = query;
    const found = await this.store.page({ source, type, repository, actor, ...stretchOf(query) }, limit + 1);
    const items = found.slice(0, limit);
    return { items: items.map(bodyOf), nextCursor: cursorAfter(items.at(-1), found.length > limit) };
  }
}

function bodyOf(event: RecordedEvent): EventBody {
  const { id, source, type, action, repository, actor, ref, number, url, atUs, deliveryId, fields } = event;
  return { id, source, type, action, repository, actor, ref, number, url, at: formatInstant(atUs), deliveryId, fields };
}

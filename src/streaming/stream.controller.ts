import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblems } from '../platform/http/index.js';
import { filterFor } from './filter.js';
import { STREAM_TYPES } from './published.js';
import { SseClients } from './sse.service.js';
import { StreamClients } from './stream-clients.service.js';
import { StreamQuery } from './stream.dto.js';

const EXAMPLE = `retry: 2000

event: trade
id: 104233
data: {"symbol":"BTCUSDT","source":"simulator","price":"65083.67","size":"0.01034361","side":"buy","tradeId":"1068572091","tradedAt":"2026-08-09T21:05:48.167634Z"}

event: feed
data: {"source":"simulator","state":"connected","reason":"the venue answered","at":"2026-08-09T21:05:49Z"}

`;

@ApiTags('live')
@Controller('stream')
export class StreamController {
  constructor(
    private readonly sse: SseClients,
    private readonly live: StreamClients,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'Live updates as server-sent events',
    description:
      'The event is the type, the data JSON. Events with an `id` can be resumed from: reconnecting with `Last-Event-ID` ' +
      'gives what was missed, then goes on live; `event: reset` says that this is not possible and the state has to be ' +
      'loaded anew. `event: bye` tells why the server ends the stream. A comment comes every 15 seconds.',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The last `id` that was received' })
  @ApiOkResponse({
    description: 'An endless stream',
    content: { 'text/event-stream': { schema: { type: 'string' }, example: EXAMPLE } },
  })
  @ApiProblems('request.bad-parameter', 'stream.too-many-clients')
  stream(
    @Query() query: StreamQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    if (request.method === 'HEAD') {
      void reply.header('content-type', 'text/event-stream; charset=utf-8').send();
      return;
    }
    void reply.header('retry-after', '5');
    this.live.assertRoom();
    const only = query.source === undefined ? {} : { source: query.source };
    const filter = filterFor(query.types ?? STREAM_TYPES, query.symbols ?? [], only);
    reply.hijack();
    this.sse.open(reply.raw, filter, lastEventId || query.lastEventId || undefined, {
      'x-correlation-id': request.id,
      'x-content-type-options': 'nosniff',
    });
  }
}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../contracts/index.js';
import { AppError, badParameter } from '../platform/errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, NoQuery } from '../platform/http/index.js';
import { type Delivery, DeliveryStore } from './delivery.store.js';
import { DeliveriesBody, DeliveriesQuery, type DeliveryBody, WholeDeliveryBody } from './webhooks.dto.js';

const SHOWN_BYTES = 1024 * 1024;
/** What a bigint holds. */
const ID = /^\d{1,18}$/;

@ApiTags('webhooks')
@Controller(`${API}/webhooks/deliveries`)
export class DeliveriesController {
  constructor(private readonly store: DeliveryStore) {}

  @Get()
  @ApiOperation({ summary: 'Deliveries of webhooks whose signature was right, newest first' })
  @ApiOkResponse({ type: DeliveriesBody })
  @ApiProblems('request.bad-parameter', 'search.too-slow', 'http.busy', 'database.unavailable')
  async list(@Query() { source, type, status, from, to, limit, cursor }: DeliveriesQuery): Promise<DeliveriesBody> {
    if (from !== undefined && to !== undefined && from >= to) throw badParameter('from', 'must be before to');
    const filter = { source, type, status, fromUs: from, toUs: to, beforeId: idOf(cursor) };
    const found = await this.store.page(filter, limit + 1);
    const items = found.slice(0, limit);
    return {
      items: items.map(bodyOf),
      nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null,
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One delivery, with its headers and its payload' })
  @ApiOkResponse({ type: WholeDeliveryBody })
  @ApiProblems('request.bad-parameter', 'webhooks.unknown-delivery', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<WholeDeliveryBody> {
    const delivery = ID.test(id) ? await this.store.find(id, undefined, SHOWN_BYTES) : undefined;
    if (!delivery) throw new AppError('webhooks.unknown-delivery', `there is none with the id ${id.slice(0, 60)}`);
    const { headers, body } = delivery;
    return { ...bodyOf(delivery), headers, payload: body.toString() };
  }
}

function idOf(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const [id] = decodeCursor(cursor, 1);
  if (!ID.test(String(id))) throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return String(id);
}

function bodyOf({ replayOf, receivedAtUs, ...delivery }: Delivery): DeliveryBody {
  const { id, source, hookId, deliveryId, type, action, status, error, repeats, bytes } = delivery;
  return {
    id,
    source,
    hookId,
    deliveryId,
    type,
    action,
    status,
    error,
    possibleReplayOf: replayOf,
    repeats,
    bytes,
    receivedAt: formatInstant(receivedAtUs),
  };
}

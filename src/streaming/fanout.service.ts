import { Injectable } from '@nestjs/common';
import { type Heard, Hears } from '../platform/bus/index.js';
import { PUBLISHED, publicationOf } from './published.js';
import { SseClients } from './sse.service.js';
import { WebSocketGateway } from './web-socket.gateway.js';

/** Hears every event of the table. */
const HearsPublished =
  () =>
  (target: object, key: string | symbol, descriptor: PropertyDescriptor): void => {
    for (const { event, hearer } of PUBLISHED) Hears(event, hearer)(target, key, descriptor);
  };

/** From the bus to the clients of both transports. */
@Injectable()
export class Fanout {
  constructor(
    private readonly sse: SseClients,
    private readonly webSockets: WebSocketGateway,
  ) {}

  @HearsPublished()
  publish(data: unknown, heard: Heard): void {
    if (heard.eventId !== undefined) this.sse.note(heard.eventId);
    if (this.sse.isEmpty && this.webSockets.isEmpty) return;
    const publication = publicationOf(heard.name, data, heard.eventId);
    if (!this.sse.isEmpty) this.sse.offer(publication);
    if (!this.webSockets.isEmpty) this.webSockets.offer(publication);
  }
}

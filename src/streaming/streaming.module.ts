import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { Fanout } from './fanout.service.js';
import { DEFAULT_LIMITS, STREAM_LIMITS } from './limits.js';
import { SseClients } from './sse.service.js';
import { StreamClients } from './stream-clients.service.js';
import { StreamController } from './stream.controller.js';
import { WebSocketGateway } from './web-socket.gateway.js';

@Module({
  controllers: [StreamController],
  providers: [
    Fanout,
    SseClients,
    StreamClients,
    WebSocketGateway,
    { provide: STREAM_LIMITS, useValue: DEFAULT_LIMITS },
    makeGaugeProvider({ name: 'stream_clients', help: 'Connected live clients', labelNames: ['transport'] }),
    makeCounterProvider({
      name: 'stream_sent_total',
      help: 'Updates handed to clients',
      labelNames: ['transport', 'type'],
    }),
    makeCounterProvider({
      name: 'stream_cuts_total',
      help: 'Clients cut by the server',
      labelNames: ['transport', 'reason'],
    }),
    makeHistogramProvider({
      name: 'trade_published_seconds',
      help: 'From receiving the oldest trade of a batch to handing the batch to the sockets',
      labelNames: ['transport'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    }),
  ],
})
export class StreamingModule {}

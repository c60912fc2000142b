import { Global, Module } from '@nestjs/common';
import { makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Circuits } from './circuits.service.js';

/** What modules that call outward have in common. */
@Global()
@Module({
  providers: [
    Circuits,
    makeGaugeProvider({
      name: 'outbound_circuit_state',
      help: '0 closed, 1 half-open (one request may go, and decides), 2 open (left alone after failures in a row)',
      labelNames: ['target'],
    }),
  ],
  exports: [Circuits],
})
export class OutboundModule {}

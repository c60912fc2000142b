import { makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';

export const LETTER_METRICS = [
  makeCounterProvider({
    name: 'dead_letters_total',
    help: 'Dead letters kept or, past the limit per minute, only counted',
    labelNames: ['stage', 'code', 'kept'],
  }),
  makeGaugeProvider({
    name: 'dead_letters',
    help: 'Dead letters there are, by stage and state',
    labelNames: ['stage', 'state'],
  }),
  makeGaugeProvider({
    name: 'dead_letters_oldest_seconds',
    help: 'Age of the oldest letter that waits for a person',
  }),
  makeCounterProvider({
    name: 'dead_letter_replays_total',
    help: 'Replays of dead letters by what came of them',
    labelNames: ['kind', 'outcome'],
  }),
  makeCounterProvider({
    name: 'dead_letters_dropped_total',
    help: 'Letters deleted although nobody had replayed or discarded them, by why',
    labelNames: ['stage', 'reason'],
  }),
];

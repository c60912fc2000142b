export * from './bus.module.js';
export * from './bus.service.js';
export type { DeadLetter, LetterSource, ReplayedLetter, Replayer } from './dead-letters/dead-letter.js';
export * from './dead-letters/dead-letters.service.js';
export { letterDesk, letterFilter } from './dead-letters/letter-desk.js';
export * from './handler.decorator.js';

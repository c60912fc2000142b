export * from './bus.module.js';
export * from './bus.service.js';
export type { DeadLetter } from './dead-letter.store.js';
export * from './dead-letters.service.js';
export * from './handler.decorator.js';

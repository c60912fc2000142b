export * from './circuit-breaker.js';
export * from './circuits.service.js';
export * from './outbound.module.js';

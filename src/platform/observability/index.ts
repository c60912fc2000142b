export * from './clock.js';
export * from './health.service.js';
export * from './logger.js';
export * from './observability.module.js';
export * from './trace-context.js';

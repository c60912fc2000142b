export * from './answer.js';
export * from './decimal.js';
export * from './etag.js';
export * from './foreign-origin.js';
export * from './gate.js';
export * from './instant.decorator.js';
export * from './list.decorator.js';
export * from './market-query.dto.js';
export * from './open-api.js';
export * from './page.js';
export * from './problem.js';
export * from './problem.filter.js';
export * from './raw-body.js';
export * from './validation.js';

/** Where the REST routes live. */
export const API = 'api/v1';

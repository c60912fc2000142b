export * from './condition.js';
export * from './condition-error.js';
export * from './input-ref.js';

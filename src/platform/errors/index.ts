export * from './app-error.js';
export * from './error-codes.js';
export * from './postgres-errors.js';

export * from './bounded-search.js';
export * from './data-source-options.js';
export * from './database.module.js';
export * from './database.service.js';
export * from './embedded-postgres.js';
export * from './epoch-us.js';
export * from './migrate.js';
export * from './running-postgres.js';

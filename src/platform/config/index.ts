export * from './config.module.js';
export * from './preferred-source.js';
export * from './settings.js';

export * from './config.module.js';
export type { PollSetting, TimeUnit } from './poll-settings.js';
export * from './preferred-source.js';
export * from './settings.js';

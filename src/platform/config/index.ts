export type { AnomalySetting } from './anomaly-settings.js';
export * from './config.module.js';
export { durationMs, durationText } from './duration.js';
export type { PollSetting, TimeUnit } from './poll-settings.js';
export * from './preferred-source.js';
export * from './settings.js';
